/* The generator's words, and the names and sentences made of them. */
#include "datasets/mini_int.h"

#include <stdio.h>
#include <string.h>

#define WORDS(storage, name, ...)                                                                  \
    static const char *const name##_list[] = {__VA_ARGS__};                                        \
    storage const struct words words_##name = {name##_list,                                        \
                                               sizeof name##_list / sizeof *name##_list}

#define SHARED

/* clang-format off */
WORDS(SHARED, surname_start,
      "Bar", "Cal", "Dor", "Fen", "Gar", "Hol", "Kes", "Lan", "Mar", "Nor", "Pel", "Ras", "Sel",
      "Tor", "Val", "Wen", "Yar", "Zan", "Bren", "Cor", "Dal", "Gren", "Hart", "Lind", "Mor",
      "Stan", "Thorn", "Wex", "Ash", "Pen");
WORDS(SHARED, surname_end,
      "bury", "dale", "field", "gard", "holt", "ick", "land", "man", "mont", "ner", "quist",
      "ridge", "sen", "son", "stead", "strom", "ton", "vale", "well", "wick", "worth", "mark",
      "berg", "croft");
WORDS(SHARED, river_start,
      "Al", "Bre", "Ca", "De", "El", "Fa", "Gi", "Hu", "Is", "Ka", "Lo", "Me", "Na", "Or", "Pi",
      "Ru", "Sa", "Te", "Ul", "Vi");
WORDS(SHARED, professions,
      "baker", "carpenter", "doctor", "tailor", "teacher", "sailor", "painter", "lawyer",
      "farmer", "printer", "miner", "nurse", "potter", "weaver", "pilot", "clerk", "judge",
      "smith", "gardener", "butcher", "barber", "librarian", "surveyor", "brewer", "mason",
      "plumber", "jeweller", "glazier", "cook", "porter");
WORDS(SHARED, instruments,
      "violin", "flute", "piano", "drum", "harp", "cello", "trumpet", "guitar", "oboe", "banjo",
      "organ", "lute", "horn", "fiddle", "clarinet", "zither");
WORDS(SHARED, colours,
      "red", "blue", "green", "yellow", "black", "white", "grey", "purple", "orange", "brown",
      "silver", "golden", "pink", "violet", "scarlet", "amber");
WORDS(SHARED, things,
      "lamp", "key", "coin", "map", "ring", "clock", "mirror", "book", "letter", "vase", "sword",
      "bell", "box", "rope", "candle", "mask", "crown", "button", "basket", "compass", "ladder",
      "needle", "pipe", "saddle", "scroll", "shield", "spoon", "statue", "stone", "table",
      "trumpet case", "wheel", "whistle", "anchor", "bottle", "brush", "carpet", "chain", "cup",
      "drum stick", "feather", "hammer", "kettle", "knife");
WORDS(SHARED, materials,
      "brass", "copper", "iron", "glass", "oak", "silk", "wool", "clay", "marble", "leather",
      "paper", "ivory", "tin", "pine", "linen", "bronze");
WORDS(SHARED, animals,
      "dog", "cat", "horse", "parrot", "goat", "rabbit", "owl", "fox", "turtle", "sheep",
      "donkey", "falcon", "pony", "goose", "ferret", "hound");
WORDS(SHARED, foods,
      "bread", "cheese", "soup", "apples", "honey", "fish", "rice", "beans", "cake", "pears",
      "olives", "plums", "eggs", "porridge", "cherries", "walnuts");
WORDS(SHARED, spots,
      "tower", "cellar", "attic", "garden", "stable", "kitchen", "chapel", "harbour", "market",
      "library", "workshop", "barn", "courtyard", "mill", "orchard", "archive", "tavern",
      "museum", "station", "theatre");
WORDS(SHARED, verbs,
      "repair", "sell", "move", "paint", "close", "open", "rebuild", "inspect", "rent", "insure",
      "replace", "extend", "clean", "survey", "restore", "fund");
WORDS(SHARED, classes,
      "Harbour", "Metal", "Music", "Weather", "Trade", "Health", "Travel", "Law", "Animal",
      "Plant", "Number", "Person", "History", "Letter", "Color", "Tool");
WORDS(SHARED, code_verbs,
      "load", "save", "parse", "merge", "split", "read", "write", "find", "count", "build",
      "check", "send");
WORDS(SHARED, code_arguments,
      "path", "limit", "name", "size", "index", "key", "value", "start", "stop", "mode", "flag",
      "depth", "width", "label", "target", "source");
WORDS(SHARED, jobs_zh,
      "教师", "医生", "律师", "司机", "农民", "工人", "画家", "记者", "护士", "厨师", "工程师", "会计", "演员", "作家", "警察",
      "商人");
WORDS(SHARED, foods_zh,
      "苹果", "米饭", "面条", "鸡蛋", "豆腐", "牛肉", "香蕉", "饺子", "西瓜", "葡萄", "白菜", "鱼汤");
WORDS(SHARED, instruments_zh,
      "钢琴", "小提琴", "笛子", "吉他", "二胡", "古筝", "琵琶", "口琴");
WORDS(static, first_names,
      "Orla", "Mira", "Tomas", "Jonas", "Edda", "Lena", "Pavel", "Iris", "Hugo", "Nadia", "Felix",
      "Clara", "Oscar", "Ruth", "Silas", "Vera", "Anton", "Greta", "Marek", "Elsa", "Boris",
      "Dora", "Emil", "Freya", "Gideon", "Hanna", "Ivor", "Julia", "Karl", "Linus", "Maud",
      "Nils", "Olga", "Petra", "Quinn", "Rosa", "Stefan", "Tilda", "Ulric", "Viola", "Walter",
      "Xenia", "Yusuf", "Zelda", "Amos", "Berta", "Casper", "Daphne", "Edgar", "Flora", "Gustav",
      "Hilda", "Ismael", "Jorun", "Kirsten", "Lorenz", "Magda", "Noel", "Otto", "Paula", "Ralf",
      "Sonja", "Tobias", "Ursula");
WORDS(static, town_start,
      "Alder", "Birch", "Cliff", "Drum", "East", "Frost", "Glen", "Haven", "Iron", "Kings",
      "Lake", "Mill", "North", "Oak", "Port", "Quarry", "River", "Salt", "Tarn", "Upper", "West",
      "Wolf", "Stone", "Sand", "Raven", "Peat", "Moss", "Long", "High", "Green");
WORDS(static, town_end,
      "bridge", "burn", "by", "castle", "combe", "den", "ford", "gate", "ham", "hill", "hollow",
      "hurst", "ley", "mere", "minster", "mouth", "pool", "reach", "side", "stow", "thorpe",
      "wood", "water", "crag");
WORDS(static, river_end,
      "bra", "dina", "fora", "gess", "lune", "mara", "nova", "rell", "ssa", "tane", "veth", "wyn",
      "zora", "dour", "keth", "mond");
WORDS(static, adverbs,
      "often", "rarely", "always", "never", "sometimes", "usually", "gladly", "quietly");
WORDS(static, topics,
      "weather", "harvest", "election", "festival", "railway", "school", "budget", "bridge",
      "hospital", "museum", "market", "river", "forest", "council", "factory", "port");
WORDS(static, days,
      "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday");
WORDS(static, surnames_zh,
      "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "马", "朱", "胡", "林", "郭", "何",
      "高", "罗");
WORDS(static, given_zh,
      "伟", "芳", "娜", "敏", "静", "强", "磊", "军", "洋", "勇", "艳", "杰", "娟", "涛", "明", "超", "兰", "霞",
      "平", "刚", "华", "文", "英", "建");
WORDS(static, city_start_zh,
      "临", "青", "长", "南", "北", "东", "西", "金", "石", "白", "龙", "安", "平", "永", "新", "海");
WORDS(static, city_end_zh,
      "江", "山", "河", "城", "州", "阳", "海", "林", "湖", "安", "宁", "远", "川", "泉");
/* clang-format on */

int mini_between(struct mini *m, int low, int high)
{
    return low + rng_below(&m->rng, high - low + 1);
}

const char *mini_pick(struct mini *m, const struct words *w)
{
    return w->list[rng_below(&m->rng, w->n)];
}

void mini_permutation(struct mini *m, int *order, int n)
{
    for (int i = 0; i < n; i++)
        order[i] = i;
    for (int i = n - 1; i > 0; i--) {
        int j = rng_below(&m->rng, i + 1), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
}

static struct name join(const char *a, const char *gap, const char *b, const char *c)
{
    struct name n;
    snprintf(n.s, sizeof n.s, "%s%s%s%s", a, gap, b, c);
    return n;
}

struct name mini_name(const char *a, const char *gap, const char *b)
{
    return join(a, gap, b, "");
}

struct name mini_person(struct mini *m)
{
    const char *end = mini_pick(m, &words_surname_end);
    const char *start = mini_pick(m, &words_surname_start);
    return join(mini_pick(m, &words_first_names), " ", start, end);
}

struct name mini_town(struct mini *m)
{
    const char *end = mini_pick(m, &words_town_end);
    return mini_name(mini_pick(m, &words_town_start), "", end);
}

struct name mini_river(struct mini *m)
{
    const char *end = mini_pick(m, &words_river_end);
    return mini_name(mini_pick(m, &words_river_start), "", end);
}

struct name mini_person_zh(struct mini *m)
{
    const char *second = mini_pick(m, &words_given_zh);
    const char *first = mini_pick(m, &words_given_zh);
    return join(mini_pick(m, &words_surnames_zh), "", first, second);
}

struct name mini_city_zh(struct mini *m)
{
    const char *end = mini_pick(m, &words_city_end_zh);
    return join(mini_pick(m, &words_city_start_zh), "", end, "市");
}

bool mini_taken(const struct name *used, int n, const struct name *x)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(used[i].s, x->s))
            return true;
    return false;
}

struct name mini_fresh(struct mini *m, struct name (*make)(struct mini *), const struct name *used,
                       int n)
{
    struct name x;
    do
        x = make(m);
    while (mini_taken(used, n, &x));
    return x;
}

void mini_say(struct buf *out, const char *pattern, const char *first, const char *second)
{
    const char *word[] = {first, second};
    for (int i = 0; i < 2; i++) {
        const char *gap = strstr(pattern, "%s");
        if (!gap)
            break;
        buf_add(out, pattern, (size_t)(gap - pattern));
        buf_str(out, word[i]);
        pattern = gap + 2;
    }
    buf_str(out, pattern);
}

static void sold_thing(struct mini *m, struct buf *out)
{
    int coins = mini_between(m, 2, 99);
    const char *spot = mini_pick(m, &words_spots), *thing = mini_pick(m, &words_things);
    buf_printf(out, "A %s %s was sold at the %s for %d coins.", mini_pick(m, &words_colours), thing,
               spot, coins);
}

static void long_road(struct mini *m, struct buf *out)
{
    int miles = mini_between(m, 2, 99);
    struct name to = mini_town(m), from = mini_town(m);
    buf_printf(out, "The road from %s to %s is %d miles long.", from.s, to.s, miles);
}

static void talk_of_town(struct mini *m, struct buf *out)
{
    const char *topic = mini_pick(m, &words_topics), *adverb = mini_pick(m, &words_adverbs);
    buf_printf(out, "People in %s %s talk about the %s.", mini_town(m).s, adverb, topic);
}

/* Draws for the three gaps of a sentence, the last first. */
static void three_words(struct mini *m, struct buf *out, const struct words *w[3],
                        const char *text[4])
{
    const char *third = mini_pick(m, w[2]), *second = mini_pick(m, w[1]);
    const char *first = mini_pick(m, w[0]);
    buf_printf(out, "%s%s%s%s%s%s%s", text[0], first, text[1], second, text[2], third, text[3]);
}

void mini_filler(struct mini *m, struct buf *out)
{
    switch (rng_below(&m->rng, 6)) {
    case 0:
        talk_of_town(m, out);
        break;
    case 1:
        three_words(m, out, (const struct words *[]){&words_spots, &words_spots, &words_materials},
                    (const char *[]){"The ", " near the ", " was built of ", "."});
        break;
    case 2:
        three_words(m, out, (const struct words *[]){&words_days, &words_spots, &words_adverbs},
                    (const char *[]){"On ", " the ", " is ", " closed."});
        break;
    case 3:
        sold_thing(m, out);
        break;
    case 4:
        long_road(m, out);
        break;
    default:
        three_words(m, out, (const struct words *[]){&words_materials, &words_things, &words_spots},
                    (const char *[]){"Nobody knows who left the ", " ", " in the ", "."});
    }
}
