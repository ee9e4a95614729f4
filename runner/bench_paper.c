#include "runner/bench_paper.h"

#include "runner/published_store.h"

static int put_lines(struct buf *out, struct store *s, struct err *e)
{
    static const char sql[] =
        "SELECT model, setting, task, score FROM result WHERE run <= 10 AND n > 0";
    struct stmt *q;
    int rc;
    if (stmt_open(store_db(s), sql, NULL, 0, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1)
        buf_printf(out, BENCH_PAPER ",all of it,%s,made up,\"%s\",%s,%.2f,,,a result,\n",
                   stmt_text(q, 0).s, stmt_text(q, 1).s, stmt_text(q, 2).s, stmt_num(q, 3));
    stmt_close(q);
    return rc;
}

static int store_lines(struct store *s, struct text lines, struct err *e)
{
    struct published p;
    struct published_stored stored;
    if (published_parse(&p, BENCH_PAPER ".csv", lines, e))
        return -1;
    int rc = published_store(s, &p, &stored, e);
    published_release(&p);
    return rc;
}

int bench_paper_store(struct store *s, struct err *e)
{
    struct buf lines;
    buf_init(&lines);
    buf_str(&lines, "paper,table,model,protocol,setting,task,score,n,stderr,source,remarks\n");
    int rc = put_lines(&lines, s, e) || store_lines(s, text_buf(&lines), e) ? -1 : 0;
    buf_release(&lines);
    return rc;
}
