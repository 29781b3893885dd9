# traffic_exporter. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO            ?= go
TOOLS         := $(CURDIR)/.tools
GOLANGCI_LINT := $(TOOLS)/golangci-lint-v2.15.0
PROMETHEUS    := $(TOOLS)/prometheus-v0.316.0
PROMTOOL      := $(TOOLS)/promtool-v0.316.0
ALERTMANAGER  := $(TOOLS)/alertmanager-v0.34.2
ETCD          := $(TOOLS)/etcd-v3.7.3
CONSUL        := $(TOOLS)/consul-v1.13.9
HELM          := $(TOOLS)/helm-v4.3.1
HELM3         := $(TOOLS)/helm-v3.22.0
VEGETA        := $(TOOLS)/vegeta-v12.13.0
GHZ           := $(TOOLS)/ghz-v0.93.0
HEY           := $(TOOLS)/hey-v0.1.5
FORTIO        := $(TOOLS)/fortio-v1.68.2
K6            := $(TOOLS)/k6-v1.8.1
VALE          := $(TOOLS)/vale-v3.26.0
GOVULNCHECK   := $(TOOLS)/govulncheck-v1.9.0
GORELEASER    := $(TOOLS)/goreleaser-v2.15.1
SYFT          := $(TOOLS)/syft-v1.57.1
COSIGN        := $(TOOLS)/cosign-v3.0.3
OPERATOR_CRDS := $(TOOLS)/prometheus-operator-crds-v0.95.1
KUBERNETES    := v1.37.2
KUBE          := $(addprefix $(TOOLS)/,$(addsuffix -$(KUBERNETES),kube-apiserver kube-controller-manager kube-scheduler kubectl))

# The tools and tests in these folders have a go.mod each, so that the binary's names only the modules that it is built and tested with.
MODULES := . $(patsubst %/go.mod,%,$(sort $(wildcard test/*/go.mod)))
# $(call each,MODULES,COMMAND) runs a command in each of the modules, and stops at the first that fails.
each = for module in $(1); do echo "$$module:"; (cd "$$module" && $(2)); done

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BRANCH   ?= $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null || echo unknown)
COMMON   := github.com/prometheus/common/version
LDFLAGS  := -s -w -X $(COMMON).Version=$(VERSION) -X $(COMMON).Revision=$(REVISION) -X $(COMMON).Branch=$(BRANCH)

# One way to compile for everything but the race detector, so that nothing is compiled
# twice: static, and the same wherever the checkout is.
export CGO_ENABLED := 0
export GOFLAGS     := -trimpath

.PHONY: help
help: ## Show this list.
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-20s %s\n", $$1, $$2}'

.PHONY: build
build: ## Build ./traffic_exporter, a static binary.
	$(GO) build -ldflags '$(LDFLAGS)' -o traffic_exporter ./cmd/traffic_exporter

.PHONY: run
run: build ## Run the demo: a target and the exporter on loopback.
	./traffic_exporter demo

.PHONY: test
test: test-unit rules chart examples grpc websocket page e2e ## Set up and run all tests.

.PHONY: test-unit
test-unit: ## Run vet and the Go tests with the race detector.
	@$(call each,. test/bench test/preview,$(GO) vet -tags e2e ./... && CGO_ENABLED=1 $(GO) test -race ./...)
	$(MAKE) explore EPISODES=10000

EPISODES ?= 100000
SEED     ?= 1

.PHONY: explore
explore: ## Play EPISODES random episodes of a fleet from SEED on: crashes, partitions, slow messages.
	$(GO) test -count=1 -timeout 60m -run TestExplore ./internal/membership -membership.episodes=$(EPISODES) -membership.seed=$(SEED)

.PHONY: simulate
simulate: ## Simulate a fleet of REPLICAS (default 1000) that gossips: it forms, is replaced, and loses three in ten.
	$(GO) test -count=1 -timeout 120m -v -run TestAFleetThatGossips ./internal/membership -membership.gossiping=$(or $(REPLICAS),1000)

.PHONY: rules
rules: $(PROMTOOL) ## Check and test the rules for Prometheus, and the mixin.
	$(PROMTOOL) check rules --lint=all --lint-fatal dashboards/rules/*.yaml
	printf '%s\n' dashboards/rules/tests/*.yaml | xargs -n 1 -P 2 $(PROMTOOL) test rules
	cd test/mixin && $(GO) vet ./... && TRAFFIC_MIXIN_PROMTOOL=$(PROMTOOL) $(GO) test -count=1 ./...

.PHONY: chart
chart: build $(HELM) $(PROMTOOL) $(PROMETHEUS) $(ALERTMANAGER) ## Lint, render and run the Helm chart, and check deploy/compose.
	cd test/chart && $(GO) vet ./... && \
		TRAFFIC_CHART_BINARY=$(CURDIR)/traffic_exporter TRAFFIC_CHART_HELM=$(HELM) TRAFFIC_CHART_PROMTOOL=$(PROMTOOL) \
		TRAFFIC_CHART_PROMETHEUS=$(PROMETHEUS) TRAFFIC_CHART_ALERTMANAGER=$(ALERTMANAGER) $(GO) test -count=1 ./...

.PHONY: cluster
cluster: build system-tools $(KUBE) $(ETCD) $(HELM) $(HELM3) $(OPERATOR_CRDS) ## Install the chart on a real control plane by Helm 3 and 4, and do to it what clusters do; as root.
	cd test/cluster && $(GO) vet ./... && $(GO) test ./kubelet ./services && \
		TRAFFIC_CLUSTER_BINARY=$(CURDIR)/traffic_exporter TRAFFIC_CLUSTER_HELM3=$(HELM3) TRAFFIC_CLUSTER_HELM4=$(HELM) \
		TRAFFIC_CLUSTER_APISERVER=$(word 1,$(KUBE)) TRAFFIC_CLUSTER_CONTROLLERS=$(word 2,$(KUBE)) \
		TRAFFIC_CLUSTER_SCHEDULER=$(word 3,$(KUBE)) TRAFFIC_CLUSTER_KUBECTL=$(word 4,$(KUBE)) \
		TRAFFIC_CLUSTER_ETCD=$(ETCD) TRAFFIC_CLUSTER_CRDS=$(OPERATOR_CRDS) $(GO) test -count=1 -timeout 40m -parallel 4 -v $(ARGS) .

.PHONY: run-stack
run-stack: build $(PROMETHEUS) $(ALERTMANAGER) ## Run three replicas, a target, Prometheus and Alertmanager on loopback.
	TRAFFIC_EXPORTER=$(CURDIR)/traffic_exporter PROMETHEUS=$(PROMETHEUS) ALERTMANAGER=$(ALERTMANAGER) deploy/compose/run.sh

.PHONY: examples
examples: build $(PROMETHEUS) ## Run the configurations in examples/ against servers that do what the real ones do, with a real Prometheus.
	cd test/examples && $(GO) vet ./... && TRAFFIC_EXAMPLES_BINARY=$(CURDIR)/traffic_exporter TRAFFIC_EXAMPLES_PROMETHEUS=$(PROMETHEUS) $(GO) test -count=1 ./...

.PHONY: grpc
grpc: ## Test gRPC against grpc-go's test server, and through nginx where it is installed.
	cd test/grpc && $(GO) vet ./... && $(GO) test -short -count=1 ./...

# Of its own, as gRPC's C++ library takes longer to install and to compile with than all other tests of gRPC together.
.PHONY: grpc-cpp
grpc-cpp: ## Install gRPC's C++ library, as root and where there is apt-get, and test gRPC against a server by it.
	@if ! command -v grpc_cpp_plugin >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
			g++ pkg-config libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc >/dev/null; \
	fi
	cd test/grpc && $(GO) test -count=1 -v -run Cpp ./...

.PHONY: websocket
websocket: ## Test WebSockets against gorilla's server, and through nginx where it is installed.
	cd test/websocket && $(GO) vet ./... && $(GO) test -count=1 ./...

# Where the tests need a program of the system that is not here and that nobody can install,
# they say so and are skipped. RUNLEVEL has no server started that is installed.
.PHONY: system-tools
system-tools: ## Install what the tests need of the system, as root and where there is apt-get.
	@for tool in chromium:chromium curl:curl jq:jq openssl:openssl yq:yq node:nodejs npm:npm nginx:nginx-light ip:iproute2 unshare:util-linux; do \
		if PATH="$$PATH:/usr/sbin:/sbin" command -v "$${tool%%:*}" >/dev/null; then continue; fi; \
		if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then continue; fi; \
		export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1; \
		apt-get install -qq -y --no-install-recommends "$${tool##*:}" >/dev/null 2>&1 || \
			{ apt-get update -qq && apt-get install -qq -y --no-install-recommends "$${tool##*:}"; } >/dev/null 2>&1 || \
			echo "$${tool##*:} cannot be installed: tests that need it are skipped"; \
	done

E2E := TRAFFIC_E2E_BINARY=$(CURDIR)/traffic_exporter TRAFFIC_E2E_PROMETHEUS=$(PROMETHEUS) TRAFFIC_E2E_PROMTOOL=$(PROMTOOL) \
	TRAFFIC_E2E_ALERTMANAGER=$(ALERTMANAGER) TRAFFIC_E2E_ETCD=$(ETCD) TRAFFIC_E2E_HELM=$(HELM)

.PHONY: e2e
e2e: build system-tools $(PROMETHEUS) $(PROMTOOL) $(ALERTMANAGER) $(ETCD) $(HELM) ## Run the end-to-end tests: the real binary scraped by a real Prometheus, and what the documentation shows.
	$(E2E) $(GO) test -tags e2e -count=1 -parallel 4 -timeout 20m ./test/e2e ./test/docs

# Of its own, as Consul takes longer to build than all other tools together.
.PHONY: e2e-consul
e2e-consul: build $(PROMETHEUS) $(PROMTOOL) $(ALERTMANAGER) $(ETCD) $(CONSUL) ## Run the tests of a fleet on etcd and on Consul.
	$(E2E) TRAFFIC_E2E_CONSUL=$(CONSUL) $(GO) test -tags e2e -count=1 -timeout 20m -run 'Store' ./test/e2e

# Without Node.js, Chromium or the packages the tests of the page say that they are skipped.
.PHONY: page
page: build system-tools ## Run the tests of the live page in a real browser.
	@if ! command -v node >/dev/null || ! command -v npm >/dev/null || ! command -v chromium >/dev/null; then \
		echo "the tests of the live page are skipped: they need node, npm and chromium"; \
	elif ! (cd test/page && npm ci --silent --no-audit --no-fund); then \
		echo "the tests of the live page are skipped: npm cannot install what they need"; \
	else \
		cd test/page && TRAFFIC_PAGE_BINARY=$(CURDIR)/traffic_exporter TRAFFIC_PAGE_CHROMIUM="$$(command -v chromium)" \
			node --test --test-concurrency=4 --test-reporter=spec *.test.mjs; \
	fi

.PHONY: lint
lint: $(GOLANGCI_LINT) prose vulnerabilities ## Run golangci-lint with the project's configuration, check the English, and look for known vulnerabilities.
	@$(call each,$(MODULES),$(GOLANGCI_LINT) run ./...)

PROSE := README.md CONTRIBUTING.md CHANGELOG.md SECURITY.md docs config.example.yaml examples internal cmd test dashboards deploy

.PHONY: prose
prose: ## Check the English of documentation, comments and messages by the style guide in CONTRIBUTING.md.
	$(GO) test -count=1 -run 'Prose|StyleGuide' ./test/docs

# Vale contains parsers in C that take minutes to build.
.PHONY: vale
vale: ## Check documentation and comments with Vale, by the same rules; needs a C compiler.
	@if command -v "$$($(GO) env CC)" >/dev/null; then \
		$(MAKE) $(VALE) && $(VALE) --output=line $(PROSE); \
	else \
		echo "Vale is not run: there is no C compiler, which building it needs"; \
	fi

# Without the database of vulnerabilities, as on a machine without the Internet, nothing can be said.
VULNDB ?= https://vuln.go.dev

.PHONY: vulnerabilities
vulnerabilities: $(GOVULNCHECK) ## Look for known vulnerabilities that the binary reaches.
	@if curl -sfo /dev/null --max-time 10 "$(VULNDB)/index/db.json"; then \
		$(GOVULNCHECK) -db "$(VULNDB)" ./cmd/...; \
	else \
		echo "vulnerabilities are not looked for: there is no database at $(VULNDB)"; \
	fi

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the code.
	@$(call each,$(MODULES),$(GOLANGCI_LINT) fmt ./...)

.PHONY: generate
generate: ## Generate the JSON schema, the reference documentation, the dashboards and the list of the binary's packages.
	$(GO) generate ./...
	cd test/bench && $(GO) generate ./...
	GOOS=linux GOARCH=amd64 $(GO) list -deps -f '{{if not .Standard}}{{.ImportPath}}{{end}}' ./cmd/traffic_exporter | \
		grep -v ^github.com/traffic-exporter/ | LC_ALL=C sort > cmd/traffic_exporter/packages.txt
	cd test/chart && $(GO) generate ./...

# A dependency that makes the binary much larger must be noticed. Raise it on purpose.
MAX_MEGABYTES := 48

.PHONY: check
check: build generate ## Fail if generated files or go.mod are out of date, or the binary has grown.
	@$(call each,$(MODULES),$(GO) mod tidy -diff)
	git diff --exit-code
	size=$$(($$(wc -c < traffic_exporter) / 1000000)); echo "the binary is $$size MB"; [ "$$size" -le "$(MAX_MEGABYTES)" ]

.PHONY: site
site: site-tools ## Build the documentation as a site, in dist/site.
	mkdocs build --strict

.PHONY: site-tools
site-tools:
	@command -v mkdocs >/dev/null || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends mkdocs mkdocs-material >/dev/null; }

# Images and signatures need a registry and an identity; bills of materials, another tool that takes long to build.
.PHONY: snapshot
snapshot: $(GORELEASER) ## Build archives and packages as a release has them, in dist/.
	$(GORELEASER) check
	$(GORELEASER) release --snapshot --clean --parallelism 2 --skip docker,sign,sbom

.PHONY: packages
packages: snapshot release-test-tools ## Install the deb and the rpm of a snapshot into copies of this system under a systemd of their own; as root, on Debian or Ubuntu.
	test/packages/test.sh dist/traffic-exporter_*_$$(dpkg --print-architecture).deb dist/traffic-exporter-*.$$(uname -m).rpm

# All but the steps that need Docker or the identity of the workflow.
.PHONY: release-test
release-test: release-tools release-test-tools ## Build a whole release, with bills of materials, test its packages, and publish it to a registry on this machine; as root, on Debian or Ubuntu.
	$(GORELEASER) check
	PATH="$(TOOLS)/bin:$$PATH" $(GORELEASER) release --snapshot --clean --parallelism 2 --skip docker,sign
	test/packages/test.sh dist/traffic-exporter_*_$$(dpkg --print-architecture).deb dist/traffic-exporter-*.$$(uname -m).rpm
	HELM=$(HELM) COSIGN=$(COSIGN) test/packages/registry.sh dist

.PHONY: release-test-tools
release-test-tools:
	@for tool in rpm jq buildah skopeo docker-registry; do \
		command -v $$tool >/dev/null || DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -qq -y --no-install-recommends $$tool >/dev/null; \
	done

.PHONY: release-tools
release-tools: $(GORELEASER) $(SYFT) $(COSIGN) $(HELM) ## Build what a release needs.

.PHONY: release
release: release-tools ## Release the tag that is checked out: archives, packages, images, signatures.
	PATH="$(TOOLS)/bin:$$PATH" $(GORELEASER) release --clean

.PHONY: release-chart
release-chart: release-tools ## Push the chart, signed, as an OCI artifact.
	$(HELM) package deploy/helm/traffic-exporter --destination dist --version "$(VERSION:v%=%)" --app-version "$(VERSION)"
	$(HELM) push dist/traffic-exporter-$(VERSION:v%=%).tgz oci://ghcr.io/traffic-exporter/charts 2>&1 | tee dist/chart.txt
	$(COSIGN) sign --yes "ghcr.io/traffic-exporter/charts/traffic-exporter@$$(sed -n 's/^Digest: //p' dist/chart.txt)"

.PHONY: previewer
previewer: ## Build .tools/preview, which draws dashboards from a live Prometheus.
	mkdir -p $(TOOLS)
	$(GO) build -C test/preview -o $(TOOLS)/preview .

.PHONY: bench
bench: ## Run the micro-benchmarks of the sending path.
	$(GO) test -run '^$$' -bench . -benchmem ./internal/...

.PHONY: bench-fleet
bench-fleet: build ## Measure what membership costs each of ten idle replicas.
	test/bench/fleet_idle.sh

.PHONY: bench-fleet-size
bench-fleet-size: build ## Form, replace and kill a fleet of 100 real replicas; ARGS='-replicas 60 -kill 18' for another.
	mkdir -p $(TOOLS)
	$(GO) build -C test/bench -o $(TOOLS)/fleetsize ./fleetsize
	$(TOOLS)/fleetsize -traffic_exporter ./traffic_exporter $(ARGS)

# A generator that cannot be built is reported as missing, like those of the system.
.PHONY: bench-peers
bench-peers: build ## Measure other load generators beside ours and write docs/performance.md; ARGS=-quick for a look.
	-$(MAKE) --keep-going $(VEGETA) $(HEY) $(FORTIO) $(K6) $(GHZ)
	mkdir -p $(TOOLS)
	$(GO) build -C test/bench -o $(TOOLS)/peers ./peers
	$(TOOLS)/peers -traffic_exporter ./traffic_exporter -revision '$(VERSION)' \
		-vegeta $(VEGETA) -hey $(HEY) -fortio $(FORTIO) -k6 $(K6) -ghz $(GHZ) $(ARGS)

# The tree has none: docs/design/0028. With the file there, go build uses it by itself.
.PHONY: pgo
pgo: build ## Take a profile that go build optimises the sending path by, in two minutes.
	mkdir -p $(TOOLS)
	$(GO) build -C test/bench -o $(TOOLS)/peers ./peers
	test/bench/pgo.sh $(TOOLS)/peers $(ARGS)

.PHONY: bench-users
bench-users: build ## Measure what a user costs who waits, a million at a time, and the same of k6; ARGS='5000 200' for others.
	-$(MAKE) --keep-going $(K6)
	K6=$(K6) test/bench/users.sh $(ARGS)

.PHONY: bench-journeys
bench-journeys: build ## Send ten million journeys, in a quarter of an hour: the binary must not grow.
	test/bench/journeys_soak.sh $(ARGS)

.PHONY: bench-variables
bench-variables: build ## Measure what variables in a request cost beside a fixed one.
	test/bench/variables.sh $(ARGS)

.PHONY: bench-import-log
bench-import-log: build ## Import a log of ten million lines with a known mix and rate: time, memory, and by how much the result is off.
	mkdir -p $(TOOLS)
	$(GO) build -C test/bench -o $(TOOLS)/importlog ./importlog
	$(TOOLS)/importlog $(ARGS)

.PHONY: bench-soak
bench-soak: build ## Send at a high rate for ten minutes: the binary must not grow. ARGS='-duration 2h' for longer.
	mkdir -p $(TOOLS)
	$(GO) build -C test/bench -o $(TOOLS)/peers ./peers
	$(TOOLS)/peers soak -traffic_exporter ./traffic_exporter $(ARGS)

.PHONY: soak
soak: ## Send 10^8 slots through the engine with a null client, in virtual time: memory has to stay flat.
	$(GO) test -run TestMemoryStaysFlat -v -timeout 20m ./internal/engine -engine.slots=100000000

.PHONY: fuzz
fuzz: ## Fuzz each target for FUZZTIME (default 30s).
	@for pkg in $$($(GO) list ./internal/...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(or $(FUZZTIME),30s) $$pkg; \
		done; \
	done

.PHONY: clean
clean: ## Remove everything built, tools included.
	rm -rf traffic_exporter $(TOOLS)

# It asks for a version of a module that the module proxy does not have.
$(VALE):
	mkdir -p $(TOOLS)
	dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; cd "$$dir"; export GOFLAGS=-mod=mod GOWORK=off; \
		$(GO) mod init vale; \
		$(GO) mod edit -replace github.com/andybalholm/cascadia=github.com/andybalholm/cascadia@v1.3.3; \
		$(GO) get -tool github.com/vale-cli/vale/v3/cmd/vale@v3.26.0; \
		CGO_ENABLED=1 $(GO) build -trimpath -ldflags '-s -w' -o $@ github.com/vale-cli/vale/v3/cmd/vale

$(GOVULNCHECK):
	$(call install,golang.org/x/vuln/cmd/govulncheck@v1.9.0,)

# GoReleaser looks for this one by its name.
$(SYFT):
	$(call install,github.com/anchore/syft/cmd/syft@v1.57.1,)
	ln -sf ../$(notdir $@) $(TOOLS)/bin/syft

$(COSIGN):
	$(call install,github.com/sigstore/cosign/v3/cmd/cosign@v3.0.3,)
	ln -sf ../$(notdir $@) $(TOOLS)/bin/cosign

$(GORELEASER):
	$(call install,github.com/goreleaser/goreleaser/v2@v2.15.1,,goreleaser)

# Tools are built from their Go modules at a pinned version; the module checksums
# are verified by the checksum database.
$(GOLANGCI_LINT):
	$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0,)

# The tags leave out service discoveries that the tests do not need.
$(PROMETHEUS):
	$(call install,github.com/prometheus/prometheus/cmd/prometheus@v0.316.0,-tags remove_all_sd$(,)enable_dns_sd$(,)netgo)

$(PROMTOOL):
	$(call install,github.com/prometheus/prometheus/cmd/promtool@v0.316.0,-tags remove_all_sd$(,)enable_dns_sd$(,)netgo)

$(VEGETA):
	$(call install,github.com/tsenart/vegeta/v12@v12.13.0,,vegeta)

$(HEY):
	$(call install,github.com/rakyll/hey@v0.1.5,)

# Later ones come with a scripting language that is not needed here.
$(FORTIO):
	$(call install,fortio.org/fortio@v1.68.2,)

$(GHZ):
	$(call install,github.com/bojand/ghz/cmd/ghz@v0.93.0,)

$(K6):
	$(call install,go.k6.io/k6@v1.8.1,)

# Alertmanager's module lacks the pages of the user interface, which another tool
# generates and which the tests do not need: a file stands in for them in a copy.
$(ALERTMANAGER):
	mkdir -p $(TOOLS)
	dir=$$(mktemp -d); trap 'chmod -R u+w "$$dir"; rm -rf "$$dir"' EXIT; cd "$$dir"; export GOFLAGS= GOWORK=off; \
		cp -R "$$($(GO) mod download -json github.com/prometheus/alertmanager@v0.34.2 | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')" alertmanager; \
		chmod -R u+w alertmanager; cd alertmanager; mkdir -p ui/app/dist; touch ui/app/dist/index.html; \
		CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./cmd/alertmanager

$(HELM):
	$(call install,helm.sh/helm/v4/cmd/helm@v4.3.1,)

$(HELM3):
	$(call install,helm.sh/helm/v3/cmd/helm@v3.22.0,)

# The definitions of the Prometheus operator's kinds follow from their Go types.
$(OPERATOR_CRDS):
	cd test/chart && $(GO) run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.23.0 crd:crdVersions=v1 \
		paths=github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1 output:crd:dir=$@

# go install refuses etcd's module for its replace directives, so that it is built as a
# tool of an empty one.
$(ETCD):
	mkdir -p $(TOOLS)
	dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; cd "$$dir"; export GOFLAGS= GOWORK=off; \
		$(GO) mod init etcd; \
		$(GO) get -tool go.etcd.io/etcd/server/v3@v3.7.3; \
		CGO_ENABLED=0 $(GO) build -trimpath -o $@ go.etcd.io/etcd/server/v3

# The same goes for Consul. Later versions need modules that are under another licence.
$(CONSUL):
	mkdir -p $(TOOLS)
	dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; cd "$$dir"; export GOFLAGS= GOWORK=off; \
		$(GO) mod init consul; \
		$(GO) get -tool github.com/hashicorp/consul@v1.13.9; \
		CGO_ENABLED=0 $(GO) build -trimpath -o $@ github.com/hashicorp/consul

# Kubernetes' module finds those it consists of in its own tree; an empty module has to say
# which of their versions go with it. All are built at once, to share what they have in common.
$(KUBE) &:
	mkdir -p $(TOOLS)
	dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; cd "$$dir"; export GOFLAGS= GOWORK=off; \
		src=$$($(GO) mod download -json k8s.io/kubernetes@$(KUBERNETES) | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'); \
		$(GO) mod init kubernetes; \
		sed -n 's|^\t\(k8s.io/[a-z0-9.-]*\) => ./staging.*|replace \1 => \1 $(KUBERNETES:v1%=v0%)|p' "$$src/go.mod" >> go.mod; \
		$(GO) get -tool $(foreach b,$(KUBE),k8s.io/kubernetes/cmd/$(patsubst %-$(KUBERNETES),%,$(notdir $(b)))@$(KUBERNETES)); \
		v=k8s.io/component-base/version; \
		CGO_ENABLED=0 nice $(GO) build -p 2 -trimpath -ldflags "-s -w -X $$v.gitVersion=$(KUBERNETES) -X $$v.gitMajor=1 -X $$v.gitMinor=$(word 2,$(subst ., ,$(KUBERNETES)))" -o bin/ tool; \
		for b in bin/*; do mv "$$b" "$(TOOLS)/$${b#bin/}-$(KUBERNETES)"; done

, := ,

# The module with its version, flags, and the binary's name if that is not in the former.
define install
	mkdir -p $(TOOLS)/bin
	GOBIN=$(TOOLS)/bin $(GO) install $(2) $(1)
	mv $(TOOLS)/bin/$(or $(3),$(firstword $(subst @, ,$(notdir $(1))))) $@
endef
