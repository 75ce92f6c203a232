# make test needs Go, and a network for modules and tools that are not there yet. Everything else it brings.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.8.0

# The root and each nested module.
MODULES = $(sort $(patsubst %/go.mod,%,$(shell find . -name go.mod -not -path './tmp/*')))
each = @set -e; for module in $(MODULES); do echo "==> $(1) ($$module)"; (cd $$module && $(1)); done

# A machine of CI has what the tests ask for: there, a missing server is a failure and nothing is taken from
# the cache of test results.
FLAGS = $(if $(CI),-count=1)

.PHONY: test fmt tidy vet race secrets full seeds staticcheck vulnerabilities gcc browser servers interleavings bench-quick bench-limits bench-sqlite mutate

test: fmt tidy vet race full secrets interleavings seeds staticcheck vulnerabilities

fmt:
	@files=$$(gofmt -l .); [ -z "$$files" ] || { echo "not gofmt-ed:"; echo "$$files"; exit 1; }

tidy:
	$(call each,go mod tidy -diff)

vet:
	$(call each,go vet ./...)

race: gcc browser servers
	$(call each,$(CURDIR)/scripts/tests -race $(FLAGS))

# 100,000 orders of parallel requests; under the race detector, which slows them down, the same test takes fewer.
interleavings:
	go test $(FLAGS) -v -run '^TestInterleavings$$' ./middleware

# Packages with tests that take smaller numbers, or say nothing, under the race detector: here with the whole ones.
full: servers
	go test $(FLAGS) ./ratelimit ./session ./store ./store/sqlitestore

# All that the tests print, searched for tokens, keys, values and cookies. That they pass is seen above.
secrets: servers
	@go test -v -short ./cookie/... ./session/... ./middleware/... ./sessiontest/... ./store/... ./examples/... 2>&1 | go run ./internal/secrets/scan

# Plain go test runs the seeds of fuzz targets; this sees to it that each target has some.
seeds: gcc
	$(call each,$(CURDIR)/scripts/seeds)

staticcheck:
	$(call each,go run $(STATICCHECK) ./...)

vulnerabilities:
	$(call each,$(CURDIR)/scripts/vulnerabilities $(GOVULNCHECK))

# The race detector is linked by the C compiler.
gcc:
	@scripts/need-gcc

# The browser's tests skip themselves, and say so, where there is no browser; under CI they fail.
browser:
	@scripts/need-browser

# The same holds for tests of stores and their servers: Redis, PostgreSQL, PgBouncer.
servers:
	@scripts/need-servers

# The ratios between Hardy and its peers, in under three minutes.
bench-quick:
	$(MAKE) --no-print-directory -C bench quick

# The limiters beside their peers, and who falls for forged headers; about two minutes.
bench-limits:
	$(MAKE) --no-print-directory -C bench limits

# The store on SQLite beside scs's, in about two minutes.
bench-sqlite:
	$(MAKE) --no-print-directory -C bench sqlite

# Takes the checks out one by one and shows the test that fails without each.
mutate:
	go run ./internal/mutate
