# laterna: `make demo` and `make test` do all the set-up themselves.
# LuaRocks passes CC, CFLAGS, LIBFLAG, LUA_INCDIR, INST_LIBDIR, INST_LUADIR to build and install.
LUA       ?= lua5.4
CC        ?= cc
BUILD     ?= build
SANITIZE  ?=

LUA_INCDIR ?= $(firstword $(wildcard /usr/include/lua5.4 /usr/local/include/lua5.4 /opt/homebrew/include/lua5.4 /usr/include))
WARN      := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wno-unused-parameter -Werror
OPTIMIZE  ?= -O2
BASE_FLAGS := -std=gnu11 $(OPTIMIZE) -g -fPIC -fvisibility=hidden -fno-math-errno -ffp-contract=fast -fopenmp -Icsrc -I$(LUA_INCDIR) $(WARN) $(SANITIZE)
LINK      := -shared -fopenmp -Wl,-z,nodelete
LIBS      := -lopenblas -lpng -lz -lm

ARCH      := $(shell $(CC) -dumpmachine)
ISAS      := portable
ifneq (,$(findstring x86_64,$(ARCH)))
ISAS      += avx2 avx512
endif
FLAGS_portable := -O3
FLAGS_avx2     := -O3 -mavx2 -mfma -mf16c
FLAGS_avx512   := -O3 -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512

# Files of csrc/kernel are compiled once an instruction set; dispatch.c and everything else once.
KERNELS   := $(filter-out csrc/kernel/dispatch.c,$(wildcard csrc/kernel/*.c))
PLAIN     := $(filter-out $(KERNELS),$(wildcard csrc/*/*.c))
OBJECTS   := $(PLAIN:csrc/%.c=$(BUILD)/%.o) $(foreach isa,$(ISAS),$(KERNELS:csrc/%.c=$(BUILD)/%.$(isa).o))
SO        := $(BUILD)/laterna/core.so

.PHONY: build clean
build: $(SO)

$(SO): $(OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(LINK) $(SANITIZE) -o $@ $(OBJECTS) $(LIBS)

define isa_rule
$(BUILD)/kernel/%.$(1).o: csrc/kernel/%.c
	@mkdir -p $$(@D)
	$(CC) $(BASE_FLAGS) $$(FLAGS_$(1)) -DLT_ISA=$(1) -MMD -MP -c -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(eval $(call isa_rule,$(isa))))

$(BUILD)/%.o: csrc/%.c
	@mkdir -p $(@D)
	$(CC) $(BASE_FLAGS) -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d)

clean:
	rm -rf build
