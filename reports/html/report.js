/* The page of `kvlab report html` is whole without this: it adds sorting, filters and the choice of
   colours. Nothing is loaded, stored or sent. */
"use strict";
(() => {
    const all = (of, what) => Array.from(of.querySelectorAll(what));

    /* ---- sorting: a button in every head of a body of rows ---- */

    function value(cell) {
        if (!cell)
            return null;
        const text = "value" in cell.dataset ? cell.dataset.value : cell.textContent.trim();
        if (text === "" || text === "-")
            return null;
        const number = Number(text.replace(/,/g, ""));
        return Number.isNaN(number) ? text.toLowerCase() : number;
    }

    /* What is not there comes last in both directions; equal rows keep their order. */
    function compare(a, b, sign) {
        if (a === null || b === null)
            return (a === null) - (b === null);
        if (typeof a !== typeof b)
            return sign * (typeof a === "number" ? -1 : 1);
        return sign * (a < b ? -1 : a > b ? 1 : 0);
    }

    function sort(table, head, column) {
        const down = head.getAttribute("aria-sort") === "ascending" ||
            (!head.hasAttribute("aria-sort") && head.classList.contains("n"));
        const rising = head.getAttribute("aria-sort") === "descending" ? true : !down;
        all(table, "thead th").forEach((th) => th.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", rising ? "ascending" : "descending");
        for (const body of table.tBodies) {
            const rows = Array.from(body.rows).map((row) => [value(row.cells[column]), row]);
            rows.sort((a, b) => compare(a[0], b[0], rising ? 1 : -1));
            rows.forEach((pair) => body.append(pair[1]));
        }
    }

    /* The column below each head: a head of two lines has spans. */
    function columns(table) {
        const taken = [], place = new Map();
        Array.from(table.tHead.rows).forEach((row, y) => {
            taken[y] = taken[y] || [];
            let x = 0;
            for (const th of row.cells) {
                while (taken[y][x])
                    x++;
                place.set(th, x);
                for (let v = y; v < y + th.rowSpan; v++)
                    for (let u = x; u < x + th.colSpan; u++)
                        (taken[v] = taken[v] || [])[u] = true;
            }
        });
        return place;
    }

    function make_sortable(table) {
        if (!table.tHead)
            return;
        const last = table.tHead.rows.length;
        table.places = columns(table);
        table.places.forEach((column, th) => {
            if (th.parentNode.rowIndex + th.rowSpan < last || !th.textContent.trim())
                return;
            const button = document.createElement("button");
            button.type = "button";
            button.className = "sort";
            button.append(...th.childNodes);
            button.addEventListener("click", () => sort(table, th, column));
            th.append(button);
        });
    }

    /* ---- filters ---- */

    const filters = document.getElementById("filters");
    const chosen = { method: new Set(), task: new Set() };

    function words(name) {
        return document.getElementById("find-" + name).value.toLowerCase().split(/\s+/).filter(Boolean);
    }
    function has_words(text, wanted) {
        return wanted.every((word) => text.toLowerCase().includes(word));
    }
    function is_wanted(kind, key, text, wanted) {
        return (!chosen[kind].size || chosen[kind].has(key)) && has_words(text, wanted);
    }

    function filter_rows(wanted) {
        let shown = 0, of = 0;
        all(document, "[data-method]").forEach((part) => {
            const off = !is_wanted("method", part.dataset.method, part.dataset.text, wanted);
            part.hidden = off;
            if (part.tagName === "TR") {
                of++;
                shown += !off;
            }
        });
        return shown + " of " + of + " settings";
    }

    function filter_columns(table, off) {
        table.places.forEach((column, th) => {
            if (th.dataset.task === undefined)
                return;
            th.hidden = off.has(th.dataset.task);
            for (const row of all(table, "tbody tr, tfoot tr"))
                row.cells[column].hidden = th.hidden;
        });
    }

    /* A group spans its columns that are left. */
    function fit_groups(table) {
        const heads = all(table.tHead, "th[data-task]");
        all(table.tHead, "th[data-group]").forEach((group) => {
            const left = heads.filter((th) => th.dataset.of === group.dataset.group && !th.hidden).length;
            group.hidden = !left;
            group.colSpan = left || 1;
        });
    }

    function filter_tasks(wanted) {
        const off = new Set(), seen = new Set();
        all(document, "th[data-task]").forEach((th) => {
            seen.add(th.dataset.task);
            if (!is_wanted("task", th.dataset.task, th.dataset.task + " " + th.dataset.of, wanted))
                off.add(th.dataset.task);
        });
        all(document, "table.scores").forEach((table) => {
            filter_columns(table, off);
            fit_groups(table);
        });
        all(document, "details[data-task]").forEach((part) => {
            part.hidden = off.has(part.dataset.task);
        });
        return seen.size - off.size + " of " + seen.size + " tasks";
    }

    function filter() {
        const rows = filter_rows(words("method"));
        filters.querySelector("output").textContent = rows + ", " + filter_tasks(words("task"));
    }

    function make_filters() {
        if (!filters)
            return;
        all(filters, "button[data-kind]").forEach((chip) => chip.addEventListener("click", () => {
            const on = chip.getAttribute("aria-pressed") !== "true", set = chosen[chip.dataset.kind];
            chip.setAttribute("aria-pressed", on);
            set[on ? "add" : "delete"](chip.dataset.key);
            filter();
        }));
        all(filters, "input").forEach((input) => input.addEventListener("input", filter));
        filters.hidden = false;
        filter();
    }

    /* ---- links into closed parts open them ---- */

    function open_target() {
        const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
        for (let part = target; part; part = part.parentElement) {
            part.hidden = false;
            if (part.tagName === "DETAILS")
                part.open = true;
        }
        if (target)
            target.scrollIntoView();
    }

    /* ---- colours ---- */

    function make_theme() {
        const button = document.getElementById("theme"), root = document.documentElement;
        const is_dark = () => root.dataset.theme ? root.dataset.theme === "dark"
            : matchMedia("(prefers-color-scheme: dark)").matches;
        const name = () => { button.textContent = is_dark() ? "Light colours" : "Dark colours"; };
        button.addEventListener("click", () => {
            root.dataset.theme = is_dark() ? "light" : "dark";
            name();
        });
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
        name();
        button.hidden = false;
    }

    all(document, "table").forEach(make_sortable);
    make_filters();
    make_theme();
    addEventListener("hashchange", open_target);
    open_target();
})();
