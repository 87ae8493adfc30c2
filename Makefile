# wxsteward: every target explains itself in `make help`.

SHELL := /bin/sh
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
TOOLS := $(CURDIR)/.tools
LINT_VERSION := v2.15.0
LINT := $(TOOLS)/golangci-lint-$(LINT_VERSION)/golangci-lint
VULN_VERSION := v1.9.0
VULN := $(TOOLS)/govulncheck-$(VULN_VERSION)/govulncheck
FUZZTIME ?= 60s
FUZZJOBS ?= 4
SOAK ?= 10m
UI_SOURCES := $(shell find webui/src webui/public webui/index.html webui/vite.config.ts webui/tsconfig.json webui/package-lock.json -type f 2>/dev/null)

.PHONY: help run build test test-go test-ui test-example docs-test e2e lint vuln audit fuzz bench bench-rollouts chaos soak scale openapi image image-check fmt clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## build everything and run it: a simulation, or the real thing when WX_APPID is set
	@.ci/need postgres
	@exec ./start.sh $$([ -n "$$WX_APPID$$CBR_ENV_ID" ] && echo serve || echo simulate)

build: webui/dist/index.html ## bin/wxsteward with the admin UI in it
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/wxsteward ./cmd/wxsteward

webui/node_modules/.package-lock.json: webui/package.json webui/package-lock.json
	cd webui && npm ci --no-audit --no-fund --loglevel=error

webui/dist/index.html: webui/node_modules/.package-lock.json $(UI_SOURCES)
	cd webui && npm run build

test: lint test-ui test-example test-go e2e ## run every check: lint, UI, Go with a real PostgreSQL, browser

test-go: ## Go tests, with a private PostgreSQL, and a private MariaDB for the import
	@.ci/need postgres mariadb curl
	go vet ./...
	go test -p 3 -parallel 3 -timeout 15m ./...

test-ui: webui/node_modules/.package-lock.json ## type check, lint and unit tests of the admin UI
	cd webui && npm run types:check && npm run typecheck && npm run lint && npm test

test-example: ## unit tests of the sample mini program
	cd examples/miniprogram && node --test

docs-test: ## run every command of the documents (part of test-go, by itself a minute)
	@.ci/need postgres mariadb curl
	go test -count 1 -run '^Test(Documents|Readme|Operations|CloudRunPages)' ./cmd/wxsteward

e2e: build ## play operator, merchant and reviewer in a browser against the built program
	@.ci/need postgres chromium
	cd webui && npm run e2e

$(LINT):
	GOBIN=$(dir $@) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

$(VULN):
	GOBIN=$(dir $@) go install golang.org/x/vuln/cmd/govulncheck@$(VULN_VERSION)

lint: $(LINT) ## golangci-lint
	$(LINT) run ./...

vuln: $(VULN) ## known vulnerabilities of the Go dependencies (asks the vulnerability database)
	$(VULN) ./...

audit: ## known vulnerabilities of what the UI is made of (asks the npm registry)
	cd webui && npm audit --audit-level=high

fuzz: ## fuzz whatever reads strangers' bytes, FUZZTIME=60s each, FUZZJOBS=4 at once; a crasher stays in testdata
	@for pkg in $$(go list ./...); do \
		for name in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do echo "$$pkg $$name"; done; \
	done | xargs -P $(FUZZJOBS) -L 1 sh -c 'echo "fuzzing $$0 $$1"; go test -run "^$$" -fuzz "^$$1\$$" -fuzztime $(FUZZTIME) -parallel 1 $$0 || exit 255'

bench: build ## measure what docs/benchmarks.md tells (about 15 minutes of a quiet machine)
	@.ci/need postgres
	go test -run '^$$' -bench . -benchtime 1x -timeout 60m ./cmd/wxsteward ./component/forward

bench-rollouts: build ## bring a version to 1,000 and to 10,000 merchants, BENCH_RATE=400 calls a second (about 15 minutes)
	@.ci/need postgres
	BENCH_MERCHANTS=1000,10000 BENCH_RATE=$${BENCH_RATE:-400} go test -run '^$$' -bench '^BenchmarkRollout$$' -benchtime 1x -timeout 60m ./cmd/wxsteward

chaos: ## 200 merchants roll out while replicas are killed, the database restarts and WeChat misbehaves (minutes)
	@.ci/need postgres
	CHAOS_MERCHANTS=200 go test -v -count 3 -timeout 45m -run '^TestChaos$$' ./cmd/wxsteward

soak: build ## push at full rate for SOAK=10m and watch the memory
	@.ci/need postgres
	BENCH_SOAK=$(SOAK) go test -run '^$$' -bench BenchmarkSoak -benchtime 1x -timeout 0 ./cmd/wxsteward

scale: ## 10,000 merchants synchronized with bad luck, 100,000 rows imported, the directory at 100,000 merchants
	@.ci/need postgres
	SYNC_MERCHANTS=10000 IMPORT_ROWS=100000 go test -v -count 1 -timeout 30m -run '^(TestSyncOfManyMerchantsWithBadLuck|TestImportOfManyRows|TestOneSyncAfterARestore)$$' ./authorize
	BENCH_MERCHANTS=100000 go test -run '^$$' -bench '^Benchmark(Directory|Targets)$$' -benchtime 1x -timeout 30m ./authorize

image: ## the container image, as wxsteward:VERSION
	docker build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t wxsteward:$(VERSION) .

image-check: ## the Dockerfile's stages without a container engine, and a start as in Cloud Run (2 minutes, best as root)
	@.ci/need postgres
	VERSION=$(VERSION) COMMIT=$(COMMIT) scripts/image-stages.sh

openapi: ## write the API description and the UI's types from it
	go run ./cmd/wxsteward openapi > webui/openapi.json
	cd webui && npm run types

fmt: $(LINT) ## format the code
	$(LINT) fmt ./...
	cd webui && npm run format

clean: ## remove what was built (not ./data)
	rm -rf bin webui/node_modules $(TOOLS)
	find webui/dist -mindepth 1 ! -name .gitkeep -delete
