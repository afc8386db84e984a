# sub2api - one file, non-recursive. `make help` lists what there is to make.
#
#   V=1        shows the commands           B=DIR       builds into DIR instead of build/
#   CC=...     another C compiler           PREFIX=...  where `make install` puts things
#
# Every *.c of a folder goes into that folder's archive; nothing is listed by hand. The targets a
# person types (all, run, test, ...) install missing packages first (tests/deps.sh) and then call
# make once more, so that what is probed below is there when it is probed.

VERSION   := 0.1.0
B         ?= build
export B
PREFIX    ?= /usr/local
FOLDERS   := base http proto store shm upstream worker admin master
MAINS     := master/main.c admin/ctl.c
CLANG     ?= clang
PKGCONFIG ?= pkg-config
SHELL     := /bin/sh

.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all
Q := $(if $(V),,@)
say = $(if $(V),@:,@echo "  $(1)")

# --- flags ------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wundef -Wvla \
    -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wcast-qual \
    -Wswitch-enum -Wimplicit-fallthrough -Wformat=2 -Wnull-dereference

# All at once when the compiler knows them all (one fork), else one by one.
cc-ok     = $(shell echo 'int x;' | $(1) -Werror $(2) -O1 -c -x c -o /dev/null - 2>/dev/null && echo y)
cc-option = $(if $(call cc-ok,$(1),$(2)),$(2),$(foreach f,$(2),$(if $(call cc-ok,$(1),$(f)),$(f))))
HARDENING := $(call cc-option,$(CC),-D_FORTIFY_SOURCE=3 -fstack-protector-strong \
    -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero)
SANITIZE  := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

COMMON          := -std=gnu11 -D_GNU_SOURCE -g -I. -DVERSION='"$(VERSION)"'
CC_release      := $(CC)
LTO             := $(call cc-option,$(CC),-flto=auto)
CFLAGS_release  := $(COMMON) $(WARNINGS) -O3 $(LTO) -U_FORTIFY_SOURCE $(HARDENING) -fPIE
# Structs are cleared and copied by the C library's vector code: without this gcc writes "rep stos"
# and "rep movs" for 100 to 8,000 bytes, which take some 30 cycles to get going. Code is made when
# linking, so it is asked for there.
BLOCKS          := $(call cc-option,$(CC),-mmemcpy-strategy=libcall:-1:noalign \
    -mmemset-strategy=libcall:-1:noalign)
LDFLAGS_release := -O3 $(LTO) $(BLOCKS) -pie -Wl,-z,relro,-z,now,-z,noexecstack
CC_asan         := $(CC)
CFLAGS_asan     := $(COMMON) $(WARNINGS) -Werror -O1 $(SANITIZE) -DDCHECK_ON -DFAULTS_ON
LDFLAGS_asan    := $(SANITIZE)
CC_fuzz         := $(CLANG)
CFLAGS_fuzz     := $(COMMON) -Wall -Wextra -O1 $(SANITIZE) -fsanitize=fuzzer-no-link -DDCHECK_ON \
    -DFAULTS_ON
LDFLAGS_fuzz    := $(SANITIZE) -fsanitize=fuzzer
FLAVOURS        := release asan fuzz

# --- packages ---------------------------------------------------------------------------------

# llhttp: Debian 13 has a library; Debian 12 has its C sources, whose strict mode must be asked for.
LLHTTP_SRC := $(wildcard /usr/share/llhttp/llhttp.c)
ifeq ($(shell $(PKGCONFIG) --exists 'libllhttp >= 9' 2>/dev/null && echo y),y)
    LLHTTP_CFLAGS := $(shell $(PKGCONFIG) --cflags libllhttp)
    LLHTTP_LIBS   := $(shell $(PKGCONFIG) --libs libllhttp)
else
    LLHTTP_CFLAGS := -isystem /usr/share/include/llhttp -DLLHTTP_STRICT_MODE=1
    LLHTTP_OBJS   := llhttp.o api.o http.o
endif
# mbedTLS 2.28 brings no .pc file; 3.6 does.
MBEDTLS_LIBS := $(or $(shell $(PKGCONFIG) --libs mbedtls mbedx509 mbedcrypto 2>/dev/null), \
    -lmbedtls -lmbedx509 -lmbedcrypto)
LIBS := $(LLHTTP_LIBS) $(MBEDTLS_LIBS) -llmdb -lz -lzstd

# --- archives and objects ---------------------------------------------------------------------

# Which archives a folder's code may reach, itself first, in linking order.
BELOW_base     := base
BELOW_http     := http base
BELOW_proto    := proto base
BELOW_store    := store base
BELOW_shm      := shm base
BELOW_upstream := upstream http proto store shm base
BELOW_worker   := worker $(BELOW_upstream)
BELOW_admin    := admin $(BELOW_upstream)
BELOW_master   := master worker $(BELOW_admin)
# $(call archives,flavour,folder)
archives = $(patsubst %,$(B)/$(1)/lib%.a,$(BELOW_$(2)) $(if $(LLHTTP_OBJS),llhttp))

sources = $(filter-out $(MAINS),$(wildcard $(1)/*.c))

# The list file changes when a source comes or goes, so no archive keeps what has been removed; the
# flags file changes when a flag does, so no object keeps what it was compiled with before.
define archive_rules
$(B)/$(1)/lib$(2).list: FORCE
	@mkdir -p $$(@D); echo "$(call sources,$(2))" | cmp -s - $$@ || \
	    echo "$(call sources,$(2))" >$$@
$(B)/$(1)/lib$(2).a: $(patsubst %.c,$(B)/$(1)/%.o,$(call sources,$(2))) $(B)/$(1)/lib$(2).list
	$$(call say,AR  $$@)
	$$(Q)rm -f $$@; ar rcsD $$@ $$(filter %.o,$$^)
endef
define flavour_rules
$(foreach d,$(FOLDERS),$(eval $(call archive_rules,$(1),$(d))))
$(B)/$(1)/flags: FORCE
	@mkdir -p $$(@D); echo '$$(CC_$(1)) $$(subst ','\'',$$(CFLAGS_$(1))) $$(LLHTTP_CFLAGS)' | \
	    cmp -s - $$@ || echo '$$(CC_$(1)) $$(subst ','\'',$$(CFLAGS_$(1))) $$(LLHTTP_CFLAGS)' >$$@
$(B)/$(1)/%.o: %.c $(B)/$(1)/flags
	$$(call say,CC  $$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC_$(1)) $$(CFLAGS_$(1)) $$(LLHTTP_CFLAGS) $$(CPPFLAGS) -MMD -MP -c $$< -o $$@
$(B)/$(1)/llhttp/%.o: /usr/share/llhttp/%.c $(B)/$(1)/flags
	$$(call say,CC  $$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC_$(1)) $$(filter-out -W% -DDCHECK_ON,$$(CFLAGS_$(1))) -w $$(LLHTTP_CFLAGS) -c $$< -o $$@
$(B)/$(1)/libllhttp.a: $(addprefix $(B)/$(1)/llhttp/,$(LLHTTP_OBJS))
	$$(call say,AR  $$@)
	$$(Q)rm -f $$@; ar rcsD $$@ $$^
endef
$(foreach f,$(FLAVOURS),$(eval $(call flavour_rules,$(f))))
# The assembler puts this file into the object: gcc does not list it among what it depends on.
$(foreach f,$(FLAVOURS),$(B)/$(f)/store/shipped.o): store/prices.json

# --- programs ---------------------------------------------------------------------------------

PROGRAMS      := $(B)/sub2api $(B)/sub2apictl $(B)/fake-provider
ASAN_PROGRAMS := $(B)/asan/sub2api $(B)/asan/sub2apictl
link = $(Q)$(CC_$(1)) $(LDFLAGS_$(1)) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^)

# $(call program_rules,flavour,where the programs stand)
define program_rules
$(2)/sub2api: $(B)/$(1)/master/main.o $(call archives,$(1),master)
	$$(call say,LD  $$@)
	$$(call link,$(1)) $$(LIBS)
$(2)/sub2apictl: $(B)/$(1)/admin/ctl.o $(call archives,$(1),admin)
	$$(call say,LD  $$@)
	$$(call link,$(1)) $$(LIBS)
endef
$(eval $(call program_rules,release,$(B)))
$(eval $(call program_rules,asan,$(B)/asan))

# Libc only: they share no code with the gateway they test.
objects = $(patsubst %.c,$(B)/$(1)/%.o,$(wildcard $(2)/*.c))
$(B)/fake-provider: $(call objects,release,tests/fake)
	$(call say,LD  $@)
	$(call link,release)
$(B)/bench-load: $(patsubst %.c,$(B)/release/%.o,$(wildcard tests/bench/load*.c))
	$(call say,LD  $@)
	$(call link,release)
$(B)/bench-sched: $(B)/release/tests/bench/sched.o $(call archives,release,upstream)
	$(call say,LD  $@)
	$(call link,release) $(LIBS)
$(B)/bench-ledger: $(B)/release/tests/bench/scribe.o $(call archives,release,store)
	$(call say,LD  $@)
	$(call link,release) $(LIBS)
$(B)/bench-pairs: $(B)/release/tests/bench/pairs.o $(call archives,release,upstream)
	$(call say,LD  $@)
	$(call link,release) $(LIBS)
$(B)/asan/tests/scenario/run: $(call objects,asan,tests/scenario)
	$(call say,LD  $@)
	@mkdir -p $(@D)
	$(call link,asan)
$(B)/asan/tests/crash/run: $(call objects,asan,tests/crash) \
    $(patsubst %.c,$(B)/asan/%.o,$(wildcard tests/scenario/play*.c))
	$(call say,LD  $@)
	@mkdir -p $(@D)
	$(call link,asan)

# The vectors' runner: our own archives and nothing else.
$(B)/translate-vector: $(call objects,asan,tests/tools) \
    $(patsubst %,$(B)/asan/lib%.a,http proto base)
	$(call say,LD  $@)
	$(call link,asan) $(LLHTTP_LIBS) $(MBEDTLS_LIBS)

define unit_rules
$(B)/asan/tests/unit_$(1): $(call objects,asan,tests/unit/$(1)) $(call archives,asan,$(1))
	$$(call say,LD  $$@)
	@mkdir -p $$(@D)
	$$(call link,asan) $$(LIBS) -lcriterion
unit-$(1): $(B)/asan/tests/unit_$(1)
	@tests/run.sh unit_$(1)
.PHONY: unit-$(1)
endef
$(foreach d,$(FOLDERS),$(eval $(call unit_rules,$(d))))
UNITS := $(foreach d,$(FOLDERS),$(if $(wildcard tests/unit/$(d)/*.c),$(B)/asan/tests/unit_$(d)))

FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
$(B)/fuzz/%: $(B)/fuzz/tests/fuzz/fuzz_%.o $(call archives,fuzz,upstream)
	$(call say,LD  $@)
	$(call link,fuzz) $(LIBS)

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)

# --- what a person types ----------------------------------------------------------------------

JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null || echo 2))
again = @$(MAKE) --no-print-directory $(JOBS)

.PHONY: FORCE programs units fuzzers
programs: $(PROGRAMS)
units: $(UNITS)
fuzzers: $(FUZZERS)

## Product
.PHONY: all run install-deps install uninstall
all: ## build the gateway, its CLI and the fake provider (installs missing packages first)
	@tests/deps.sh run
	$(again) programs
run: ## build, start with data in ./data, print a key and lines to paste (RUN=arguments)
	@tests/deps.sh run
	$(again) programs
	@exec sh master/quickstart.sh $(B) $(RUN)
install-deps: ## install all packages for running, testing and measuring
	@tests/deps.sh run test bench
install: programs ## install programs, man pages, example configuration, systemd unit (PREFIX, DESTDIR)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 \
	    $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8 \
	    $(DESTDIR)$(PREFIX)/share/doc/sub2api $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 755 $(B)/sub2api $(B)/sub2apictl $(DESTDIR)$(PREFIX)/bin
	for m in $(wildcard master/*.[158] admin/*.[158]); do \
	    install -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/ || exit 1; done
	install -m 644 sub2api.ini README.md $(DESTDIR)$(PREFIX)/share/doc/sub2api
	sed 's|@PREFIX@|$(PREFIX)|g' master/sub2api.service \
	    >$(DESTDIR)$(PREFIX)/lib/systemd/system/sub2api.service
uninstall: ## remove what install put there; data and configuration stay
	rm -f $(DESTDIR)$(PREFIX)/bin/sub2api $(DESTDIR)$(PREFIX)/bin/sub2apictl \
	    $(DESTDIR)$(PREFIX)/lib/systemd/system/sub2api.service
	for m in $(notdir $(wildcard master/*.[158] admin/*.[158])); do \
	    rm -f $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$$m; done
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/sub2api

## Tests
.PHONY: test check tidy unit asan vectors golden-update scenario fuzz fuzz-smoke clients crash model bench bench-sched bench-ledger bench-translate bare
test: ## everything: tidy, unit, vectors, fuzz smoke, scenario, clients, crash, model; "N passed, N failed"
	@tests/run.sh tidy unit vectors fuzz-smoke scenario clients crash model
check: ## the quick part: tidy, unit, vectors, scenario
	@tests/run.sh tidy unit vectors scenario
tidy: ## layers, names, sizes, banned calls, formatting
	@tests/run.sh tidy
unit: ## unit tests under ASan and UBSan (one folder: make unit-base)
	@tests/run.sh unit
asan: $(ASAN_PROGRAMS) ## the programs under ASan and UBSan, in build/asan
vectors: ## translation between the dialects against its golden vectors
	@tests/run.sh vectors
golden-update: ## writes the golden files of translation anew and shows what changed, for a person to read
	$(again) $(B)/translate-vector
	@exec bash tests/tools/golden.sh --update
scenario: ## the whole gateway against the fake provider
	@tests/run.sh scenario
fuzz: ## every fuzz target for FUZZ_SECONDS each (default 600)
	@FUZZ_SECONDS=$(or $(FUZZ_SECONDS),600) tests/run.sh fuzz
fuzz-smoke: ## all fuzz targets together in about 30 s
	@tests/run.sh fuzz-smoke
clients: ## the official SDKs and command line programs against the gateway
	@tests/run.sh clients cli
crash: ## kill -9 under load and at named points, for an hour; SEED=n repeats a run
	@CRASH_SIZE=full tests/run.sh crash
model: ## the Spin models of the shared segment's protocols, 20 to 30 minutes; a small size is in test
	@MODEL_SIZE=full tests/run.sh model
bench: ## load, CPU and memory, side by side with nginx
	@tests/deps.sh run bench
	$(again) programs $(B)/bench-load
	@exec sh tests/bench/run.sh $(B)
bench-sched: ## what the scheduler costs by itself: gates, selection, wakes
	@tests/deps.sh run bench
	$(again) $(B)/bench-sched
	@exec bash tests/bench/sched.sh $(B)
bench-ledger: ## what the ledger costs: commits, ten million records, reports, a request's accounting
	@tests/deps.sh run bench
	$(again) programs $(B)/bench-ledger $(B)/bench-load
	@exec bash tests/bench/ledger.sh $(B)
bench-translate: ## what translation costs by itself: each dialect for each other one, and memory a stream
	$(again) $(B)/bench-pairs
	@exec $(B)/bench-pairs
bare: ## both README commands in a freshly debootstrapped Debian
	@tests/deps.sh bare
	@exec bash tests/bare.sh

## Sources
.PHONY: format ini dist clean help
SOURCES = $(wildcard $(addsuffix /*.[ch],$(FOLDERS)) tests/*/*.[ch] tests/unit/*/*.[ch])
format: ## clang-format all sources
	$(Q)clang-format -i $(SOURCES)
ini: $(B)/sub2api ## write sub2api.ini from the folders' tables of settings
	$(Q)$(B)/sub2api --print-ini >sub2api.ini.new && mv sub2api.ini.new sub2api.ini
dist: ## the tracked sources as a tar file in build/
	$(Q)mkdir -p $(B) && git archive --prefix=sub2api-$(VERSION)/ -o $(B)/sub2api-$(VERSION).tar.gz HEAD
	@echo $(B)/sub2api-$(VERSION).tar.gz
clean: ## remove build/
	$(Q)rm -rf $(B)
help: ## this list
	@awk -F ':.*## ' '/^## /{print "\n" substr($$0, 4)} /^[a-z-]+:.*## /{printf "  %-13s %s\n", $$1, $$2}' Makefile
