# kvlab: one makefile, no recursion. Objects live in build/<variant>/, those of clang in
# build/clang-<variant>/. `make help` lists the targets.

VARIANT  ?= release
ifeq ($(origin CC),default)
CC       := gcc
endif
ifeq ($(origin CXX),default)
CXX      := $(if $(findstring clang,$(CC)),clang++,g++)
endif
V        ?= 0
Q        := $(if $(filter 1,$(V)),,@)
GOLDEN   ?= $(or $(KVLAB_SHARED),../shared)/golden
JOBS     ?= $(shell nproc)
PREFIX   ?= /usr/local
# What Debian's python3-jieba installs: dictionary and model of the Chinese segmentation.
JIEBA    ?= /usr/lib/python3/dist-packages/jieba

# Floating point is part of the results: no contraction, no fast-math, -O2.
# The kernels of a processor level get their instruction sets below.
WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wpointer-arith -Wvla -Wformat=2 -Wwrite-strings
CWARN    := $(WARN) -Wstrict-prototypes -Wmissing-prototypes
ifeq ($(DEVELOPER),1)
WARN     += -Werror
CWARN    += -Werror
endif

OPT_release := -O2
OPT_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined
OPT_tsan    := -O1 -fsanitize=thread
OPT_debug   := -O0
OPT         := $(OPT_$(VARIANT))
# Clang's check of C++ types wants its C++ runtime, which nothing else here does.
CXXOPT      := $(if $(filter asan,$(VARIANT)),-fno-sanitize=vptr)
$(if $(OPT),,$(error VARIANT=$(VARIANT) is not one of release asan tsan debug))

B        := build/$(if $(findstring clang,$(notdir $(CC))),clang-)$(VARIANT)
PKGS     := sqlite3 libpcre2-8 libcjson sentencepiece libzip nettle
PKGFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS     := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lopenblas -lpthread -lm -lstdc++
# oneDNN, where it is installed: products in bf16 (compute: bf16). Debian's works by OpenMP.
DNNL     := $(shell printf '\043include <dnnl.h>\n' | $(CC) -E - >/dev/null 2>&1 && echo -DHAVE_DNNL)
LIBS     += $(if $(DNNL),-ldnnl -lgomp)

BASEFLAGS := $(OPT) -g -ffp-contract=off -I. -I$(B)/gen $(PKGFLAGS) -MMD -MP
CFLAGS_ALL := -std=c11 -D_POSIX_C_SOURCE=200809L $(BASEFLAGS) $(CWARN) $(CFLAGS)
CXXFLAGS_ALL := -std=c++17 $(BASEFLAGS) $(CXXOPT) $(WARN) $(CXXFLAGS)
LDFLAGS_ALL := $(OPT) $(LDFLAGS)

DIRS     := harness/base harness/store harness/tensor harness/kv harness/methods harness/model \
            datasets metrics reports runner
SRC      := $(wildcard $(addsuffix /*.c,$(DIRS)))
CXXSRC   := $(wildcard $(addsuffix /*.cc,$(DIRS)))
ASMSRC   := metrics/jieba_blob.S
OBJ      := $(SRC:%.c=$(B)/%.o) $(CXXSRC:%.cc=$(B)/%.o) $(ASMSRC:%.S=$(B)/%.o)
LIBOBJ   := $(filter-out $(B)/runner/main.o,$(OBJ))
LIB      := $(B)/libkvlab.a

UNIT     := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
GOLDENO  := $(patsubst %.c,$(B)/%.o,$(wildcard tests/golden/*.c))
TOOLS    := $(patsubst tests/tools/%.c,$(B)/tools/%,$(wildcard tests/tools/*.c))
FUZZ     := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

## all: build ./kvlab (the default)
all: kvlab

# Compared, not dated: ./kvlab may be that of another variant.
kvlab: $(B)/kvlab FORCE
	$(Q)cmp -s $< $@ || cp $< $@

$(B)/kvlab: $(B)/runner/main.o $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(LIB): $(LIBOBJ)
	@echo "  AR    $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# A change of flags or compiler rebuilds everything of the variant.
FLAGSTAMP := $(CC) $(CXX) $(CFLAGS_ALL) $(CXXFLAGS_ALL) $(LDFLAGS_ALL) $(DNNL)
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGSTAMP)' | cmp -s - $@ || echo '$(FLAGSTAMP)' > $@
FORCE:

$(B)/harness/tensor/kernels_avx2.o: ISA := -mavx2 -mfma -mf16c -mbmi2 -mpopcnt
AVX512   := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx2 -mfma -mf16c -mbmi2 -mpopcnt
$(B)/harness/tensor/kernels_avx512.o: ISA := $(AVX512)
$(B)/harness/tensor/kernels_vbmi.o: ISA := $(AVX512) -mavx512vbmi -mavx512vbmi2

$(B)/harness/tensor/gemm_bf16.o: ISA := -O3 $(DNNL)

# Short loops over groups; -O3 vectorises them and changes no result.
$(B)/harness/methods/kvo_quant.o $(B)/harness/methods/kvo_columns.o $(B)/harness/methods/kvo_few.o $(B)/harness/methods/kvo_scan.o $(B)/harness/tensor/topk.o $(B)/harness/methods/kvo_store.o $(B)/harness/methods/kvo_store_attend.o $(B)/harness/methods/kvo_record.o $(B)/harness/tensor/group_quant.o: ISA := -O3

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CFLAGS_ALL) $(ISA) -c -o $@ $<

$(B)/%.o: %.cc $(B)/flags
	@mkdir -p $(@D)
	@echo "  CXX   $<"
	$(Q)$(CXX) $(CXXFLAGS_ALL) -c -o $@ $<

# jieba's data, compiled in. One file for all variants, its maker built without sanitizers.
JIEBADATA := $(addprefix $(JIEBA)/,dict.txt finalseg/prob_start.py finalseg/prob_trans.py finalseg/prob_emit.py)
JIEBAMAKE := metrics/tools/make_jieba.c $(patsubst %,harness/base/%.c,err file mem text utf8)
build/gen/jieba.bin: $(JIEBAMAKE) metrics/jieba_data.h $(JIEBADATA)
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)$(CC) -std=c11 -D_POSIX_C_SOURCE=200809L -O2 -I. $(CWARN) -o $(@D)/make_jieba.$$PPID $(JIEBAMAKE) -lm
	$(Q)$(@D)/make_jieba.$$PPID $(JIEBA) $@; rc=$$?; rm -f $(@D)/make_jieba.$$PPID; exit $$rc

$(JIEBADATA):
	@echo "$@ is not there: make deps installs python3-jieba; elsewhere than Debian: make JIEBA=FOLDER" >&2
	@exit 2

$(B)/%.o: %.S build/gen/jieba.bin $(B)/flags
	@mkdir -p $(@D)
	@echo "  AS    $<"
	$(Q)$(CC) -DJIEBA_BIN='"build/gen/jieba.bin"' -c -o $@ $<

# The schema, the page's style and script, and what built the program are compiled in.
$(B)/gen/%.inc: harness/store/%.sql
	@mkdir -p $(@D)
	$(Q)sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n",/' $< > $@

$(B)/gen/%.inc: reports/html/%
	@mkdir -p $(@D)
	$(Q)sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n",/' $< > $@

# One string each: C promises to take 4,095 bytes.
QUESTIONS := $(sort $(wildcard reports/questions/*.sql))
$(B)/gen/questions.inc: $(QUESTIONS) reports/questions
	@mkdir -p $(@D)
	$(Q)for f in $(QUESTIONS); do echo "{\"$$(basename $$f .sql)\","; \
	    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $$f; echo '},'; done > $@

$(B)/gen/build_info.inc: FORCE
	@mkdir -p $(@D)
	@{ echo "#define BUILD_COMMIT \"$$(git rev-parse --short=12 HEAD 2>/dev/null || echo none)\""; \
	   echo "#define BUILD_DIRTY $$(git diff --quiet HEAD -- 2>/dev/null && echo 0 || echo 1)"; \
	   echo '#define BUILD_CFLAGS "$(strip $(OPT) -ffp-contract=off $(CFLAGS))"'; \
	 } > $@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@
GEN := $(B)/gen/build_info.inc $(B)/gen/questions.inc $(patsubst harness/store/%.sql,$(B)/gen/%.inc,$(wildcard harness/store/*.sql)) \
       $(patsubst reports/html/%,$(B)/gen/%.inc,$(wildcard reports/html/*.css reports/html/*.js))
$(OBJ): | $(GEN)

$(B)/tests/%: $(B)/tests/unit/%.o $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ -lcmocka $(LIBS)

$(B)/golden: $(GOLDENO) $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/driver.o $(LIB)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

# Programs that help to test, one a file.
$(B)/tools/%: $(B)/tests/tools/%.o $(LIB)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

## fuzz-NAME: libFuzzer (clang) on tests/fuzz/fuzz_NAME.c, from its corpus; SECS=60
fuzz-%: build/gen/jieba.bin
	+@$(INNER) CC=clang VARIANT=asan CFLAGS=-fsanitize=fuzzer-no-link B=build/fuzz build/fuzz/libkvlab.a
	$(Q)clang $(CFLAGS_ALL) -Wno-unused-command-line-argument -fsanitize=address,undefined,fuzzer \
	    -o build/fuzz/fuzz_$* tests/fuzz/fuzz_$*.c tests/fuzz/libfuzzer.c build/fuzz/libkvlab.a $(LIBS)
	@mkdir -p build/fuzz/corpus_$*
	build/fuzz/fuzz_$* -max_total_time=$(or $(SECS),60) -timeout=5 -artifact_prefix=build/fuzz/ \
	    build/fuzz/corpus_$* tests/fuzz/corpus/$*

# Jobs of an inner make: those of the outer one where it was given a number.
INNER     = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))

## deps: install what the build needs (Debian packages, with sudo where needed)
deps:
	@bash tests/tools/deps.sh

## deps-dev: install what lint, tidy and CI need, too
deps-dev: deps
	@bash tests/tools/deps_dev.sh

## demo: install what is missing, build, run the built-in ablation and print its table
demo: deps
	+@$(INNER) all
	@./kvlab demo $(if $(DB),--db $(DB))

## test: every test that needs no third-party data, and those that do where it is there
test: deps
	+@$(INNER) all run-tests

# With a method that tests alone have, from one file and one line: the program; and the contract of
# methods, with few others.
MORE := $(B)/more/kvlab $(B)/more/test_contract
$(B)/more/all.def $(B)/more/few.def: harness/methods/methods.def Makefile
	@mkdir -p $(@D)
	$(Q){ grep -E '$(if $(findstring few,$@),\((full|f32|f16|kvo)\),.)' $<; echo 'METHOD(sinks)'; } > $@

$(B)/more/%.o: harness/methods/methods.c $(B)/more/%.def $(B)/flags
	@echo "  CC    $< ($*)"
	@mkdir -p $(@D)/$*/harness/methods && cp $(B)/more/$*.def $(@D)/$*/harness/methods/methods.def
	$(Q)$(CC) -I$(B)/more/$* $(CFLAGS_ALL) -c -o $@ $<

$(B)/more/kvlab: $(B)/tests/more/sinks.o $(B)/more/all.o $(B)/runner/main.o $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(B)/more/test_contract: $(B)/tests/unit/test_contract.o $(B)/tests/more/sinks.o $(B)/more/few.o $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ -lcmocka $(LIBS)

test-bins: $(B)/kvlab $(MORE) $(UNIT) $(B)/golden $(FUZZ) $(TOOLS)

run-tests: test-bins
	@B=$(B) GOLDEN=$(GOLDEN) bash tests/run.sh $(ONLY)

## asan: the tests under AddressSanitizer and UBSan
asan: deps
	+@$(INNER) VARIANT=asan run-tests

## tsan: the tests of threads under ThreadSanitizer
tsan: deps
	+@$(INNER) VARIANT=tsan ONLY=test_pool run-tests

## check-long: every LongBench record through the built-in model (needs KVLAB_SHARED; minutes)
check-long: all
	@LONG=1 B=$(B) bash tests/run.sh longbench

## faults: a sweep killed, held and doubled at 60 random moments (KILLS=N, SEED=N to repeat; minutes)
faults: $(B)/kvlab
	@seed=$(or $(SEED),$$(date +%N | sed 's/^0*//')); dir=$$(mktemp -d); \
	 echo "make faults SEED=$$seed repeats this"; \
	 (cd $$dir && LC_ALL=C.UTF-8 KVLAB_KILLS=$(or $(KILLS),60) KVLAB_SEED=$$seed KVLAB_HOME=$(CURDIR) \
	 KVLAB=$(CURDIR)/$(B)/kvlab bash $(CURDIR)/tests/cli/sweep.sh) && rm -rf $$dir || \
	 { echo "make faults SEED=$$seed failed; its files are in $$dir" >&2; exit 1; }

## golden: compare with the reference values in GOLDEN=DIR (default ../shared/golden)
golden:
	+@$(INNER) $(B)/golden
	@$(B)/golden $(GOLDEN)

## bench: kernels, products, scoring, the model and its decoding, side by side; LLAMA=DIR adds a build of llama.cpp
bench: kvlab
	@./kvlab bench $(if $(LLAMA),--llama-cpp $(LLAMA))

## docs: write configs/README.md from the program's tables, reports/DATABASE.md from the schema
docs: kvlab
	@bash tests/tools/configs_readme.sh ./kvlab > configs/README.md
	@bash tests/tools/database_readme.sh harness/store/schema*.sql > reports/DATABASE.md

## lint: includes, registries, names, format, length of files and functions
lint:
	@bash tests/lint/lint.sh

## tidy: clang-tidy and shellcheck (some two minutes)
tidy: $(GEN)
	@CFLAGS='-I$(B)/gen $(PKGFLAGS)' JOBS=$(JOBS) bash tests/lint/tidy.sh

## format: run clang-format 14 over the C files
format:
	@git ls-files '*.c' '*.h' '*.cc' | xargs clang-format -i

SHARE     = $(DESTDIR)$(PREFIX)/share/kvlab
## install: the program and its configs, under PREFIX (default /usr/local) and DESTDIR
install: $(B)/kvlab
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)
	install -m 755 $(B)/kvlab $(DESTDIR)$(PREFIX)/bin/kvlab
	find configs -type f ! -path '*/train/*' -exec install -D -m 644 {} $(SHARE)/{} \;

## uninstall: take away what install put there
uninstall:
	rm -rf $(DESTDIR)$(PREFIX)/bin/kvlab $(SHARE)

## clean: remove everything that was built
clean:
	rm -rf build kvlab

## help: this list
help:
	@sed -n 's/^## //p' Makefile | awk -F': ' '{printf "  %-10s %s\n", $$1, $$2}'
	@echo "variables: CC=clang VARIANT=release|asan|tsan|debug DEVELOPER=1 (warnings are errors) V=1 (show commands)"

.PHONY: docs check-long faults all deps deps-dev demo test test-bins run-tests asan tsan golden bench lint tidy format \
        install uninstall clean help FORCE
.SECONDARY:
.DELETE_ON_ERROR:

-include $(shell find $(B) -name '*.d' 2>/dev/null)
