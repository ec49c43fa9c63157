# make test   the whole suite; installs a software Vulkan driver first where no graphics adapter exists
# make check  formatting, lints, documentation

.PHONY: test check adapter

test: adapter
	MCSAN_REQUIRE_ADAPTER=1 cargo test --release

adapter:
	@cargo test --release --no-run
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

check:
	@# Macros declare modules, which `cargo fmt` does not follow.
	rustfmt --edition 2024 --check $$(git ls-files '*.rs')
	cargo clippy --release --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps
