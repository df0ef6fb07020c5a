# laterna: `make demo` and `make test` do all the set-up themselves.
# LuaRocks passes CC, CFLAGS, LUA, LUA_INCDIR, INST_LIBDIR and INST_LUADIR.
comma     := ,
hash      := \#
# Homebrew: its folder on Apple's processors, and what it keeps apart from the compiler's folders (keg-only) on all.
BREW      := $(wildcard /opt/homebrew)
KEGS      := $(wildcard $(addsuffix /opt,/opt/homebrew /usr/local))
LUA       ?= $(firstword $(shell for l in lua5.4 lua54 lua $(KEGS:%=%/lua@5.4/bin/lua); do \
               $$l -e 'assert(_VERSION == "Lua 5.4")' 2>/dev/null && echo $$l && break; done) lua5.4)
CC        ?= cc
BUILD     ?= build
SANITIZE  ?=
# make check and CI set -Werror; a newer compiler's warnings stop nobody who only wants to build. What was compiled
# without it make check compiles again; `export WERROR=-Werror`, and one build serves all.
WERROR    ?=
JOBS      ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)

LUA_INCDIR ?= $(firstword $(wildcard /usr/include/lua5.4 /usr/local/include/lua5.4 /opt/homebrew/include/lua5.4 \
                $(KEGS:%=%/lua@5.4/include/lua5.4)) /usr/include)
WARN      := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wno-unused-parameter $(WERROR)
OPTIMIZE  ?= -O2
# Only where the libraries lie outside the compiler's own folders does pkg-config have something to add.
OPENBLAS  := $(wildcard $(KEGS:%=%/openblas))
EXTERNAL  := $(or $(shell pkg-config --cflags openblas libpng 2>/dev/null), \
               $(patsubst %,-I%/include,$(OPENBLAS) $(BREW)))
LIBS      := $(or $(shell pkg-config --libs openblas libpng zlib 2>/dev/null), \
               $(patsubst %,-L%/lib,$(OPENBLAS) $(BREW)) -lopenblas -lpng -lz) -lm

# Formats of pictures beyond PNG: each is read if a program can be made with its library (FORMATS= builds without). For
# pkg-config, and the header; not every system has a .pc file for each.
FIND_jpeg  := libjpeg jpeglib.h
FIND_webp  := libwebp webp/decode.h
FIND_gif   := giflib gif_lib.h
define format_flags
CFLAGS_$(1) := $(or $(shell pkg-config --cflags $(word 1,$(FIND_$(1))) 2>/dev/null),$(BREW:%=-I%/include))
LIBS_$(1)   := $(or $(shell pkg-config --libs $(word 1,$(FIND_$(1))) 2>/dev/null),$(BREW:%=-L%/lib) -l$(1))
endef
$(foreach format,jpeg webp gif,$(eval $(call format_flags,$(format))))
links      = $(shell printf '$(hash)include <stdio.h>\n$(hash)include <%s>\nint main(void){return 0;}\n' \
               $(word 2,$(FIND_$(1))) | $(CC) $(CFLAGS) $(CFLAGS_$(1)) -x c - $(LIBS_$(1)) -o /dev/null >/dev/null 2>&1 && \
               echo $(1))
FORMATS    := $(foreach format,jpeg webp gif,$(call links,$(format)))
EXTERNAL   += $(foreach format,$(FORMATS),$(CFLAGS_$(format)))
LIBS       += $(foreach format,$(FORMATS),$(LIBS_$(format)))
BASE_FLAGS := -std=gnu11 $(OPTIMIZE) $(CFLAGS) -g -fPIC -fvisibility=hidden -fno-math-errno -fno-trapping-math -ffp-contract=fast -pthread \
              -Icsrc -I$(LUA_INCDIR) $(EXTERNAL) $(FORMATS:%=-DLT_HAVE_%) $(WARN) $(SANITIZE)
# Lua unloads C modules when a state closes; our threads would not survive it: nodelete.
LINK      := $(if $(filter Darwin,$(shell uname)),-bundle -undefined dynamic_lookup,-shared -Wl$(comma)-z$(comma)nodelete) -pthread

ARCH      := $(shell $(CC) -dumpmachine 2>/dev/null)
ISAS      := portable
ifneq (,$(findstring x86_64,$(ARCH)))
ISAS      += avx2 avx512
endif
KERNEL_OPTIMIZE ?= -O3
FLAGS_portable := $(KERNEL_OPTIMIZE)
FLAGS_avx2     := $(KERNEL_OPTIMIZE) -mavx2 -mfma -mf16c
FLAGS_avx512   := $(KERNEL_OPTIMIZE) -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512
FLAGS_avx512bf16 := $(FLAGS_avx512) -mavx512bf16
# EMULATE_AMX=1 (make test-amx): tile registers in plain C, for processors that have none.
EMULATE_AMX ?=
BASE_FLAGS += $(if $(EMULATE_AMX),-DLT_AMX_EMULATED)
FLAGS_amx := $(FLAGS_avx512bf16) -DLT_AMX $(if $(EMULATE_AMX),,-mamx-tile -mamx-bf16)
accepts   = $(shell $(CC) $(1) -x c -E /dev/null >/dev/null 2>&1 && echo yes)
# Every 64-bit ARM has NEON. Where tiles fill the registers, gcc's first scheduling loads ahead of time until it has none
# left (clang has no such flag). Loops over elements have registers to spare: unrolled they take 4 to 23 % less.
ifneq (,$(filter aarch64% arm64%,$(ARCH)))
ISAS      += neon
IN_ORDER  := $(if $(call accepts,-Werror -fno-schedule-insns),-fno-schedule-insns)
TILED      = $(if $(filter $(addprefix $(BUILD)/kernel/,gemm% conv% attention%),$@),$(IN_ORDER),-funroll-loops)
FLAGS_neon = $(KERNEL_OPTIMIZE) -DLT_NEON $(TILED)
FLAGS_neonbf16 := $(KERNEL_OPTIMIZE) -DLT_NEON $(IN_ORDER) -march=armv8.2-a+bf16 -DLT_NEON_BF16
endif
# Those sets with products of bfloat16 that the compiler knows.
BF16_ISAS := $(foreach isa,$(if $(filter avx512,$(ISAS)),avx512bf16 amx) $(if $(filter neon,$(ISAS)),neonbf16), \
               $(if $(call accepts,$(FLAGS_$(isa))),$(isa)))
BASE_FLAGS += $(BF16_ISAS:%=-DLT_HAVE_%)

# Files of csrc/kernel are compiled once an instruction set; *_bf16.c for those that multiply bfloat16, attention and
# peak.c for them too; dispatch.c and everything else once.
BF16      := $(wildcard csrc/kernel/*_bf16.c csrc/kernel/attention*.c) csrc/kernel/peak.c
KERNELS   := $(filter-out csrc/kernel/dispatch.c csrc/kernel/%_bf16.c,$(wildcard csrc/kernel/*.c))
PLAIN     := $(filter-out $(KERNELS) csrc/kernel/%_bf16.c,$(wildcard csrc/*/*.c))
OBJECTS   := $(PLAIN:csrc/%.c=$(BUILD)/%.o) $(foreach isa,$(ISAS),$(KERNELS:csrc/%.c=$(BUILD)/%.$(isa).o)) \
             $(foreach isa,$(BF16_ISAS),$(BF16:csrc/%.c=$(BUILD)/%.$(isa).o))
SO        := $(BUILD)/laterna/core.so
# Newer than anything compiled without -Werror; gone as soon as anything is.
STRICT    := $(BUILD)/werror

# Where `make install` goes; LuaRocks sets the last two.
PREFIX      ?= /usr/local
INST_LIBDIR ?= $(PREFIX)/lib/lua/5.4
INST_LUADIR ?= $(PREFIX)/share/lua/5.4

# Runs Lua on this checkout, from any folder.
RUN       := env $(PRELOAD) LUA_PATH="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;" LUA_CPATH="$(abspath $(BUILD))/?.so;;" $(LUA)
DEPS      := LUA="$(LUA)" CC="$(CC)" LUA_INCDIR="$(filter-out /usr/include,$(LUA_INCDIR))" .ci/deps

.PHONY: all env deps build demo test quick numbers isas test-isa test-amx aarch64 instructions apicheck specs check strict lint sanitized tsan \
        nightly attack attack-part bench bench-quality fuzz seeds fuzz-seeds docs docstrings install clean
all: build

build: $(SO)

deps:
	@$(DEPS) build demo test

# What deps installs is not there yet when this file is read: the work is done by a second make.
demo:
	@$(DEPS) build demo
	@$(MAKE) --no-print-directory -j$(JOBS) build
	$(RUN) examples/tour.lua $(ARGS)

# eval "$$(make -s env)": lua5.4 then finds this checkout from any folder.
env:
	@echo 'export LUA_PATH="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;" LUA_CPATH="$(abspath $(BUILD))/?.so;;"'

# make test SPEC=spec/io FILTER=png
test:
	@$(DEPS) build test
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@$(MAKE) --no-print-directory specs

# What a change is tried with, again and again: no trainings, no other processes (spec/run.lua has the tags).
quick:
	@$(DEPS) build test
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@$(MAKE) --no-print-directory specs QUICK=1

# Those in which kernels compute, which CI repeats under every instruction set; trainings, and those that go through all sets
# themselves (tag #isas), it runs once.
NUMBERS   := $(wildcard $(patsubst %,spec/%,kernel op nn optim tensor diffusion flow gan prior autoencoder) \
             $(patsubst %,spec/%_spec.lua,autograd bounded diffusion flow gan likelihood metrics prior vae))
numbers:
	@$(MAKE) --no-print-directory specs SPEC="$(NUMBERS)" EXCLUDE=training,isas

# SHARE=1/3 is the first file of every three.
specs:
	$(RUN) spec/run.lua $(if $(QUICK),--quick) $(if $(SHARE),--part=$(SHARE)) $(if $(EXCLUDE),--exclude-tags=$(EXCLUDE)) \
	  $(if $(FILTER),--filter="$(FILTER)") $(SPEC)

# The instruction sets that this machine can run. The best comes first; it is the one that make test uses.
LIST_ISAS = $(RUN) -e 'print(table.concat(require "laterna.core".info().isas, " "))'
isas:
	@$(LIST_ISAS)

# The specs under each of them.
test-isa:
	@$(DEPS) build test
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@.ci/isas "$$($(MAKE) --no-print-directory isas)" $(MAKE) --no-print-directory specs

# Built for 64-bit ARM and run under an emulator; not a part of CI.
aarch64:
	@$(DEPS) aarch64
	@MAKE="$(MAKE)" SPEC="$(SPEC)" .ci/aarch64

# What its kernels cost, in instructions: make instructions CASES="gemm attention".
instructions:
	@$(DEPS) aarch64 instructions
	@MAKE="$(MAKE)" CASES="$(CASES)" .ci/aarch64 instructions

# The specs under a Lua that checks every use of its C interface; not a part of CI.
apicheck:
	@$(DEPS) build test
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@MAKE="$(MAKE)" LUA="$(LUA)" SPEC="$(SPEC)" LUA_SRC="$(LUA_SRC)" .ci/apicheck

check: strict
	@$(MAKE) --no-print-directory sanitized EXCLUDE=training

# All of make check but the specs.
strict:
	@$(DEPS) build test check
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory -j$(JOBS) WERROR=-Werror build
	@$(MAKE) --no-print-directory docstrings
	@$(MAKE) --no-print-directory -j$(JOBS) fuzz-seeds
	@$(MAKE) $(SANITIZED) build

# The kernels for AMX on tile registers in plain C; needs AVX512-BF16.
test-amx:
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=$(BUILD)/amx EMULATE_AMX=1 build
	@LATERNA_ISA=amx $(MAKE) --no-print-directory BUILD=$(BUILD)/amx SPEC=spec/kernel/precision_spec.lua specs

C_FILES   := $(wildcard csrc/*/*.c csrc/*/*.h spec/*/*.c spec/*/*.h)
lint:
	.ci/format --dry-run -Werror $(C_FILES)
	luacheck -q lua spec examples .ci/*.lua

# The specs once more, with every read, write and leak watched; .ci/asan.supp names the leaks that are not ours. make
# check leaves trainings to make nightly: each of their operations has specs of its own. What installs builds anew, without
# sanitizers.
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
WATCH      := LD_PRELOAD="$(shell $(CC) -print-file-name=libasan.so) $(shell $(CC) -print-file-name=libubsan.so)" \
              ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:exitcode=99 \
              LSAN_OPTIONS=suppressions=$(CURDIR)/.ci/asan.supp:print_suppressions=0 \
              UBSAN_OPTIONS=print_stacktrace=1 OPENBLAS_NUM_THREADS=1 LATERNA_SANITIZED=1 \
              $(if $(ATTACK),LATERNA_ATTACK=$(ATTACK))
SANITIZED  = --no-print-directory -j$(JOBS) BUILD=$(BUILD)/asan SANITIZE="$(SANITIZERS)" OPTIMIZE=-O1 KERNEL_OPTIMIZE=-O2 \
             WERROR= IDLE_ISAS="$(if $(RUN_ISAS),$(filter-out $(RUN_ISAS),$(ISAS) $(BF16_ISAS)))"
# Kernels for what this machine cannot run are compiled in the quickest way there.
RUN_ISAS   = $(shell [ -e $(SO) ] && $(LIST_ISAS))
IDLE_ISAS ?=
sanitized:
	@$(MAKE) $(SANITIZED) build
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan PRELOAD='$(WATCH)' EXCLUDE=$(if $(EXCLUDE),$(EXCLUDE)$(comma))install specs

# Where the linker finds Lua as a library: Debian's name, then others'.
LUA_LIBRARY := $(or $(shell pkg-config --libs lua5.4 2>/dev/null),-llua)

# Two, three and six Lua states in threads of one process train small models, are closed and opened again, while every
# access to what threads share is watched; .ci/tsan.supp names what is not ours. Addresses are not made random: where
# they are by more than 28 bits, libtsan of GCC 12 finds no room for its own.
tsan:
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=$(BUILD)/tsan SANITIZE=-fsanitize=thread \
	  OPTIMIZE=-O1 KERNEL_OPTIMIZE=-O2 WERROR= build
	@$(CC) -g -O1 -fsanitize=thread -pthread -I$(LUA_INCDIR) spec/support/many_states.c -o $(BUILD)/tsan/many_states $(LUA_LIBRARY)
	@for n in 2 3 6; do \
	  env LUA_PATH="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;$(CURDIR)/?.lua;;" LUA_CPATH="$(abspath $(BUILD))/tsan/?.so;;" \
	    TSAN_OPTIONS="suppressions=$(CURDIR)/.ci/tsan.supp exitcode=66" LATERNA_THREADS=3 \
	    setarch "$$(uname -m)" -R $(BUILD)/tsan/many_states spec/support/many_states.lua $$n 3 || exit; done

# Random trouble of five kinds (spec/attack), so many minutes each: programs with sanitizers; PyTorch's numbers; a save that
# is killed or refused; checkpoints that lie; Ctrl-C. A finding names the part, the seed and the index that play it again:
# make attack PART=programs SEED=7 INDEX=123. VERBOSE=1 prints errors of other kinds too.
MINUTES   ?= 0.5
SEED      ?= 1
PART      ?= programs torch faults checkpoints terminal
attack:
	@$(DEPS) build test
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@$(if $(filter programs,$(PART)),$(MAKE) $(SANITIZED) build)
	@mkdir -p $(BUILD)/attack && rm -f $(BUILD)/attack/*
	@for part in $(PART); do \
	  if [ $$part = programs ]; then \
	    $(MAKE) --no-print-directory BUILD=$(BUILD)/asan PRELOAD='$(WATCH)' PART=$$part attack-part; \
	  else \
	    $(MAKE) --no-print-directory PART=$$part attack-part; \
	  fi | tee $(BUILD)/attack/$$part; \
	done
	@sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$$/\1 \2/p' $(BUILD)/attack/* | awk -v parts="$(words $(PART))" \
	  '{ p += $$1; f += $$2; n++ } END { f += parts - n; printf "%d passed, %d failed\n", p, f; exit f > 0 }'

# A part that fails is counted by the sum of all.
attack-part:
	-@$(RUN) spec/attack/run.lua $(PART) $(MINUTES) $(SEED) $(INDEX)

bench:
	@$(DEPS) build demo
	@$(MAKE) --no-print-directory -j$(JOBS) build
	$(RUN) spec/bench/run.lua $(BENCH_ARGS)

# How good a model is after so many minutes of training, here and in PyTorch: docs/performance.md.
bench-quality:
	@$(DEPS) build demo
	@$(MAKE) --no-print-directory -j$(JOBS) build
	$(RUN) spec/bench/quality.lua $(QUALITY_ARGS)

# What takes hours: bytes for the parsers; random trouble; many Lua states under ThreadSanitizer; all specs with sanitizers,
# trainings too, and for every function a thousand times values of all kinds in all places at once.
# `make nightly FUZZ_SECONDS=60 MINUTES=1 ATTACK=10` takes less.
nightly: FUZZ_SECONDS := 1800
nightly: MINUTES := 60
nightly: SEED := $(shell date +%Y%j)
nightly: ATTACK := 1000
nightly:
	@$(DEPS) build test
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=$(FUZZ_SECONDS)
	@$(MAKE) --no-print-directory tsan
	@$(MAKE) --no-print-directory attack MINUTES=$(MINUTES) SEED=$(SEED)
	@LATERNA_LARGE=1 $(MAKE) --no-print-directory SPEC=spec/large_spec.lua specs
	@LATERNA_VALGRIND=1 $(MAKE) --no-print-directory SPEC=spec/memory_spec.lua specs
	@$(MAKE) --no-print-directory sanitized ATTACK=$(ATTACK)

# The parsers of what nobody may trust, under libFuzzer (needs clang): those in C, and those in Lua, so many seconds each.
FUZZ_SECONDS ?= 120
FUZZED       ?= png $(FORMATS) idx safetensors
FUZZED_LUA   ?= jsonl csv coco tokenizer metadata pack
PARSERS      := png jpeg webp gif idx safetensors jsonl csv coco tokenizer metadata pack
FUZZ_SOURCES := spec/fuzz/alone.c $(filter-out %_many.c,$(wildcard csrc/io/*.c)) csrc/base/error.c csrc/tensor/tensor.c
FUZZ_FLAGS    = -g -O1 -std=gnu11 -fno-sanitize-recover=all -Icsrc $(EXTERNAL) $(FORMATS:%=-DLT_HAVE_%)
FUZZ_LIBS     = -lpng -lz $(foreach format,$(FORMATS),$(LIBS_$(format))) -lm
FUZZ_LINK     = $(FUZZ_FLAGS) $(FUZZ_SOURCES) $(FUZZ_LIBS)
seeds:
	@mkdir -p $(foreach p,$(PARSERS),$(BUILD)/fuzz/seeds/$(p) $(BUILD)/fuzz/corpus/$(p))
	@$(LUA) spec/fuzz/seeds.lua $(BUILD)/fuzz/seeds

# The parsers in C take the seeds, whole and cut, and with memory that ends; any compiler will do. Not libwebp, which is
# ended by a table that it gets no memory for (1.2.4), or calls the file damaged.
ONCE         := -fsanitize=address,undefined
seed_objects  = $(FUZZ_SOURCES:%.c=$(BUILD)/fuzz/$(1)/%.o) $(BUILD)/fuzz/$(1)/spec/fuzz/$(1).o
SEED_OBJECTS := $(foreach way,once starved,$(call seed_objects,$(way)) $(FUZZED:%=$(BUILD)/fuzz/$(way)/spec/fuzz/%_fuzz.o))
$(BUILD)/fuzz/once/%.o: %.c
	@mkdir -p $(@D)
	@$(CC) $(FUZZ_FLAGS) $(ONCE) -MMD -MP -c $< -o $@
$(BUILD)/fuzz/starved/%.o: %.c
	@mkdir -p $(@D)
	@$(CC) $(FUZZ_FLAGS) -MMD -MP -c $< -o $@
-include $(SEED_OBJECTS:.o=.d)
fuzz-seeds: seeds $(SEED_OBJECTS)
	@for p in $(FUZZED); do \
	  $(CC) $(ONCE) $(BUILD)/fuzz/once/spec/fuzz/$${p}_fuzz.o $(call seed_objects,once) $(FUZZ_LIBS) -o $(BUILD)/fuzz/$${p}_once && \
	  $(BUILD)/fuzz/$${p}_once $(BUILD)/fuzz/seeds/$$p/* || exit; done
	@for p in $(filter-out webp,$(FUZZED)); do \
	  $(CC) $(BUILD)/fuzz/starved/spec/fuzz/$${p}_fuzz.o $(call seed_objects,starved) $(FUZZ_LIBS) -o $(BUILD)/fuzz/$${p}_starved && \
	  $(BUILD)/fuzz/$${p}_starved $(BUILD)/fuzz/seeds/$$p/* || exit; done

fuzz:
	@$(DEPS) build test
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@$(MAKE) --no-print-directory seeds
	@for p in $(FUZZED); do \
	  clang -fsanitize=fuzzer,address,undefined spec/fuzz/$${p}_fuzz.c $(FUZZ_LINK) -o $(BUILD)/fuzz/$$p && \
	  $(BUILD)/fuzz/$$p -max_total_time=$(FUZZ_SECONDS) -max_len=2048 -timeout=10 -artifact_prefix=$(BUILD)/fuzz/ \
	    $(BUILD)/fuzz/corpus/$$p $(BUILD)/fuzz/seeds/$$p || exit; done
	@[ -z "$(FUZZED_LUA)" ] || \
	  clang -g -O1 -std=gnu11 -fsanitize=fuzzer -I$(LUA_INCDIR) spec/fuzz/lua_fuzz.c $(LUA_LIBRARY) -o $(BUILD)/fuzz/lua
	@for p in $(FUZZED_LUA); do \
	  env FUZZ_TARGET=$$p LUA_PATH="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;$(CURDIR)/?.lua;;" \
	    LUA_CPATH="$(abspath $(BUILD))/?.so;;" $(BUILD)/fuzz/lua -max_total_time=$(FUZZ_SECONDS) -max_len=1024 \
	    -timeout=10 -artifact_prefix=$(BUILD)/fuzz/ $(BUILD)/fuzz/corpus/$$p $(BUILD)/fuzz/seeds/$$p || exit; done

# Public names as they are typed, then the library's own; a public name that is not there is an error.
docs:
	@$(DEPS) build demo docs
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@rm -rf $(BUILD)/docs && mkdir -p $(BUILD)/docs
	@$(MAKE) --no-print-directory docstrings DOCS=$(BUILD)/docs
	ldoc -q -c .config.ld --fatalwarnings $(BUILD)/docs
	@$(RUN) .ci/listed.lua doc

# Has every public name a docstring?
DOCS      := -
docstrings:
	@$(RUN) .ci/docs.lua $(DOCS) $(wildcard csrc/lua/*.c) $(sort $(shell find lua -name '*.lua'))

install: build
	install -d "$(INST_LIBDIR)/laterna"
	install -m 755 $(SO) "$(INST_LIBDIR)/laterna/core.so"
	strip -S "$(INST_LIBDIR)/laterna/core.so"
	install -d "$(INST_LUADIR)"
	to=$$(cd "$(INST_LUADIR)" && pwd) && cd lua && find . -name '*.lua' | while read -r f; do \
	  install -d "$$to/$$(dirname "$$f")" && install -m 644 "$$f" "$$to/$$f" || exit; done

clean:
	rm -rf $(BUILD) doc

ifneq (,$(WERROR))
$(OBJECTS): $(STRICT)
$(STRICT):
	@mkdir -p $(@D) && touch $@
endif

$(SO): $(OBJECTS)
	@mkdir -p $(@D)
	@echo "LINK $@"
	@$(CC) $(LINK) $(SANITIZE) -o $@ $(OBJECTS) $(LIBS)

define isa_rule
$(BUILD)/kernel/%.$(1).o: csrc/kernel/%.c
	@mkdir -p $$(@D)
	@echo "CC $(1) $$<"$(if $(WERROR),,; rm -f $(STRICT))
	@$(CC) $(BASE_FLAGS) $$(FLAGS_$(1)) $(if $(filter $(1),$(IDLE_ISAS)),-O0 -fno-sanitize=all) -DLT_ISA=$(1) -MMD -MP -c -o $$@ $$<
endef
$(foreach isa,$(ISAS) $(BF16_ISAS),$(eval $(call isa_rule,$(isa))))

# What depends on the formats is compiled again when a library has come or gone.
$(patsubst %,$(BUILD)/io/%.o,picture jpeg_read webp_read gif_read): $(BUILD)/formats
ifneq ($(strip $(FORMATS)),$(strip $(shell cat $(BUILD)/formats 2>/dev/null || echo none)))
.PHONY: $(BUILD)/formats
endif
$(BUILD)/formats:
	@mkdir -p $(@D) && echo $(FORMATS) >$@

$(BUILD)/%.o: csrc/%.c
	@mkdir -p $(@D)
	@echo "CC $<"$(if $(WERROR),,; rm -f $(STRICT))
	@$(CC) $(BASE_FLAGS) -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d)
