# make test   the whole suite; installs a software Vulkan driver first where no graphics adapter exists
# make check  formatting, lints, documentation
# make soak   trains for 3,000 steps of changing shapes, on the first adapter and on the reference, and shows the memory held
# make fuzz   files for every reader, drawn by libFuzzer for an hour, or MCSAN_FUZZ_SECONDS
# make directx  every shader in DX12's own compilers, which are got and run in Wine
# make windows  mcsan.exe is built, and runs its kernels and a training on DX12 in Wine: an hour
# make web    what a page loads of the library, and the page, into target/web; takes Rust's library for WebAssembly
# make mpi    training by processes of Open MPI and of MPICH; INTEL=1 of Intel MPI, too
# make jobs   folds as tasks of Slurm, and shared by machines whose folder has no common locks; as root, minutes
# make python  the Python wheel, into dist/, and its tests; TORCH=1 also beside PyTorch
# make try    what adapters there are, every kernel on one of them against its reference, the demo; what fails stays in failures/
# make release  an archive for this machine with its SHA-256, in dist/
# make page    the same of the page for browsers
# make tagged  whether TAG=v1.2.3 may be released: it is this version's, and CHANGELOG.md has a section of it
# make ci      all that CI does on Debian
# make suite   the part of make test behind the driver; what CI does elsewhere
# make machine  what a bare machine lacks to build, TARGETS=wasm32-unknown-unknown for others too
# make api    what of the library is public, held against api.txt; API=write writes that anew
# The first three say after each part how long it took. Packages are those of the lock file, or nothing is built.

.PHONY: test check adapter soak fuzz directx windows web mpi jobs try release page tagged ci suite machine api python

# $(call timed,name,command)
timed = @start=$$(date +%s); $(2) && echo "== $(1): $$(($$(date +%s) - start)) s"

test: adapter
	@.ci/suite

adapter:
	$(call timed,building,cargo test --locked --release --no-run --test fuzz --test house --test suite)
	@if ./target/release/mcsan devices --json 2>/dev/null | grep -q '"index"'; then \
		echo "graphics adapter found"; \
	elif ! command -v apt-get >/dev/null; then \
		echo "no graphics adapter: install a Vulkan driver (Mesa's lavapipe is a software one) and try again"; exit 1; \
	elif [ "$$(id -u)" = 0 ]; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q mesa-vulkan-drivers libvulkan1; \
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then \
		sudo apt-get update -q && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -q mesa-vulkan-drivers libvulkan1; \
	else \
		echo "no graphics adapter; run: sudo apt-get install mesa-vulkan-drivers libvulkan1"; exit 1; \
	fi

soak: adapter
	$(call timed,soak,MCSAN_SOAK_STEPS=3000 cargo test --locked --release --test suite -- soak:: --nocapture --test-threads 1)

check:
	@# Macros declare modules, which `cargo fmt` does not follow.
	$(call timed,formatting,rustfmt --edition 2024 --check $$(git ls-files '*.rs'))
	$(call timed,lints,cargo clippy --locked --release --all-targets --features noop -- -D warnings)
	$(call timed,documentation,RUSTDOCFLAGS="-D warnings" cargo doc --locked --release --no-deps --features noop)

fuzz:
	tests/fuzz/libfuzzer/run

directx:
	.ci/directx

windows:
	.ci/wine

web:
	build/web target/web
	@if [ -x assets/web/build ]; then assets/web/build target/web; fi

mpi:
	.ci/mpi

jobs:
	.ci/jobs

try:
	.ci/try

release:
	.ci/release

page:
	.ci/page

tagged:
	.ci/tagged "$(TAG)"

ci:
	.ci/run

suite:
	.ci/suite

machine:
	.ci/machine $(TARGETS)

api:
	.ci/api $(API)

python:
	.ci/python
