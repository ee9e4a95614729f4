#define _GNU_SOURCE
#include "runner/crew.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "runner/crew_pack.h"
#include "runner/crew_progress.h"
#include "runner/worker.h"

/* Workers that die one after the other without anything finished in between: something is wrong. */
enum { DEATHS_MAX = 5 };

static volatile sig_atomic_t stop_asked;

static void ask_stop(int number)
{
    (void)number;
    stop_asked = 1;
    worker_ask_stop();
}

static void catch_signals(bool on)
{
    /* SA_RESETHAND: a second signal has its usual effect. */
    struct sigaction a = {.sa_handler = on ? ask_stop : SIG_DFL};
    a.sa_flags = on ? (int)SA_RESETHAND : 0;
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

struct member {
    pid_t pid; // 0: nobody
    char owner[STORE_OWNER_MAX];
};

struct crew {
    struct plan *plan;
    struct store *store;
    struct crew_options o;
    struct crew_result *result;
    struct crew_progress progress;
    struct member *members; // [o.size.workers]
    int alive, deaths;      // deaths: since something was last finished
    int news[2];
    bool told_stop;
    struct err failure; // the first that a worker had
};

static void tell_workers(struct crew *c, int number)
{
    for (int i = 0; i < c->o.size.workers; i++)
        if (c->members[i].pid)
            kill(c->members[i].pid, number);
}

/* ---- news ---- */

static void take_news(struct crew *c, const struct news *n)
{
    if (n->kind == NEWS_WARN)
        log_warn("%s", n->text);
    if (n->kind == NEWS_FAILURE && c->failure.class == ERR_NONE) {
        c->failure.class = n->class;
        snprintf(c->failure.msg, sizeof c->failure.msg, "%.511s", n->text);
        tell_workers(c, SIGTERM);
    }
    if (n->kind != NEWS_WORK)
        return;
    c->result->done += n->done;
    c->result->failed += n->failed;
    c->result->prefill_tokens += n->prefill_tokens;
    c->result->decode_tokens += n->decode_tokens;
    if (n->done + n->failed)
        c->deaths = 0;
    crew_progress_take(&c->progress, n);
}

static void listen_for(struct crew *c, int ms)
{
    struct news n;
    struct pollfd f = {.fd = c->news[0], .events = POLLIN};
    if (poll(&f, 1, ms) > 0)
        while (news_receive(c->news[0], &n))
            take_news(c, &n);
    crew_progress_show(&c->progress);
}

/* ---- workers ---- */

/* In the child. */
static _Noreturn void be_worker(struct crew *c, int place, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    close(c->news[0]); // or else nobody would see that nobody listens any more, and wait for room
    if (getppid() != parent || stop_asked)
        _exit(0);
    struct worker_options w = {
        .plan = c->plan,
        .db = c->o.db,
        .place = place,
        .threads = crew_size_threads_each(&c->o.size),
        .memory = c->o.size.memory / (size_t)c->o.size.workers,
        .news = c->news[1],
    };
    _exit(worker_run(&w));
}

static int start_worker(struct crew *c, int place, struct err *e)
{
    struct member *m = &c->members[place];
    pid_t parent = getpid();
    fflush(NULL);
    m->pid = fork();
    if (m->pid < 0) {
        m->pid = 0;
        return err_system(e, "cannot start a worker: %s", strerror(errno));
    }
    if (m->pid == 0)
        be_worker(c, place, parent);
    store_owner_of((long)m->pid, m->owner);
    c->alive++;
    return 0;
}

/* Until `most` are alive. */
static int start_workers(struct crew *c, int most, struct err *e)
{
    int rc = 0;
    store_let_go(c->store);
    for (int i = 0; i < c->o.size.workers && c->alive < most && !rc; i++)
        rc = c->members[i].pid ? 0 : start_worker(c, i, e);
    return rc || store_take_up(c->store, e) ? -1 : 0;
}

static bool is_crash(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGABRT || number == SIGFPE ||
           number == SIGILL || number == SIGSYS;
}

static void describe_death(int status, char out[96])
{
    if (WIFSIGNALED(status))
        snprintf(out, 96, "signal %d, %.60s", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(out, 96, "exit code %d", WEXITSTATUS(status));
}

/* One that was killed, crashed, or ended by itself without a word (no memory, say): its jobs go to
 * others, and so does its place. */
static int bury(struct crew *c, int place, int status, struct err *e)
{
    char why[160], how[96];
    int64_t failed;
    bool crash = WIFSIGNALED(status) && is_crash(WTERMSIG(status));
    describe_death(status, how);
    snprintf(why, sizeof why, "a worker crashed twice at it (%s)", how);
    if (store_bury(c->store, c->members[place].owner, crash ? why : NULL,
                   c->plan->variants[0].build_id, &failed, e))
        return -1;
    if (!stop_asked)
        log_warn("worker %d died (%s); its items are done again%s", place + 1, how,
                 crash ? ", each group alone" : "");
    c->result->failed += failed;
    if (++c->deaths >= DEATHS_MAX)
        return err_system(e,
                          "%d workers died one after the other with nothing finished in between, "
                          "the last by %s; what is done is kept (out of memory? --memory sets a "
                          "limit)",
                          c->deaths, how);
    return stop_asked ? 0 : start_workers(c, c->alive + 1, e);
}

static int reap(struct crew *c, pid_t pid, int status, const struct rusage *use, struct err *e)
{
    size_t peak = (size_t)use->ru_maxrss * 1024;
    c->result->peak = peak > c->result->peak ? peak : c->result->peak;
    for (int i = 0; i < c->o.size.workers; i++) {
        if (c->members[i].pid != pid)
            continue;
        c->members[i].pid = 0;
        c->alive--;
        listen_for(c, 0); // its last words
        bool ended = WIFEXITED(status) && (WEXITSTATUS(status) == 0 || c->failure.class);
        return ended ? 0 : bury(c, i, status, e);
    }
    return 0;
}

static int reap_all(struct crew *c, struct err *e)
{
    struct rusage use;
    int status, rc = 0;
    pid_t pid;
    while (!rc && (pid = wait4(-1, &status, WNOHANG, &use)) > 0)
        rc = reap(c, pid, status, &use, e);
    return rc;
}

/* Until no worker is left. */
static int watch(struct crew *c, struct err *e)
{
    while (c->alive) {
        listen_for(c, 100);
        if (stop_asked && !c->told_stop) {
            c->told_stop = true;
            log_note("stopping: what is at work may end within seconds, the rest is given back; "
                     "again to stop at once");
            tell_workers(c, SIGTERM);
        }
        if (reap_all(c, e))
            return -1;
    }
    listen_for(c, 0);
    if (c->failure.class == ERR_NONE)
        return 0;
    *e = c->failure;
    return -1;
}

/* ---- the whole ---- */

/* Another program has claimed what is left: it is waited for, a second at a time. 1: something is
 * ready; 0: nothing is left to wait for. */
static int wait_for_others(struct crew *c, struct err *e)
{
    bool told = false;
    for (;;) {
        struct store_counts n;
        int64_t here;
        if (store_reclaim(c->store, false, NULL, e) ||
            store_count(c->store, c->plan->experiment, &n, e) ||
            store_count_others(c->store, c->plan->experiment, &here, &c->result->elsewhere, e))
            return -1;
        if (stop_asked || n.ready || !here)
            return !stop_asked && n.ready > 0;
        if (!told)
            log_note("waiting for %lld items that another kvlab is at", (long long)here);
        told = true;
        sleep(1); // a signal ends it
    }
}

static int run_all(struct crew *c, struct err *e)
{
    int rc;
    while ((rc = wait_for_others(c, e)) > 0) {
        struct store_counts n;
        if (store_count(c->store, c->plan->experiment, &n, e))
            return -1;
        int most = n.ready < c->o.size.workers ? (int)n.ready : c->o.size.workers;
        if (start_workers(c, most, e) || watch(c, e))
            return -1;
    }
    return rc;
}

static void end_crew(struct crew *c)
{
    int status;
    close(c->news[0]);        // what is told from now on is lost, and nobody waits for room
    tell_workers(c, SIGTERM); // after an error: the others end, too
    for (int i = 0; i < c->o.size.workers; i++)
        while (c->members[i].pid && waitpid(c->members[i].pid, &status, 0) < 0 && errno == EINTR)
            continue; // a signal: they have been told
    close(c->news[1]);
    crew_progress_end(&c->progress);
    free(c->members);
}

/* After a request to stop: what was at work may have been all. */
static bool something_left(struct crew *c)
{
    struct store_counts n;
    struct err ignored;
    return store_count(c->store, c->plan->experiment, &n, &ignored) || n.ready + n.running > 0;
}

int crew_run(struct plan *p, const struct crew_options *o, struct crew_result *out, struct err *e)
{
    struct crew c = {.plan = p, .o = *o, .result = out};
    double start = clock_seconds();
    *out = (struct crew_result){0};
    if (store_open(o->db, STORE_READWRITE, &c.store, e))
        return -1;
    if (store_reclaim(c.store, o->take_over, NULL, e) ||
        crew_progress_open(&c.progress, p, c.store, e) ||
        (o->size.workers > 1 && crew_pack(p, c.store, o->size.threads, e)) ||
        news_open(c.news, e)) {
        store_close(c.store);
        return -1;
    }
    c.members = xcalloc((size_t)c.o.size.workers, sizeof *c.members);
    stop_asked = 0;
    catch_signals(true);
    int rc = run_all(&c, e);
    end_crew(&c);
    catch_signals(false);
    out->interrupted = !rc && stop_asked && something_left(&c);
    out->seconds = clock_seconds() - start;
    store_close(c.store);
    return rc;
}
