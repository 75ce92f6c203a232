# make test needs Go, and a network for modules and tools that are not there yet. Everything else it brings.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.8.0

# The root and each nested module.
MODULES = $(sort $(patsubst %/go.mod,%,$(shell find . -name go.mod -not -path './tmp/*')))
each = @set -e; for module in $(MODULES); do echo "==> $(1) ($$module)"; (cd $$module && $(1)); done

# A machine of CI has what the tests ask for: there, a missing server is a failure and nothing is taken from
# the cache of test results.
FLAGS = $(if $(CI),-count=1)

.PHONY: test fmt tidy vet race full secrets seeds staticcheck vulnerabilities gcc browser servers bench-quick bench-limits bench-sqlite bench-postgres bench-redis bench-multiuser bench-scs mutate soak

test: fmt tidy vet race full secrets seeds staticcheck vulnerabilities

fmt:
	@files=$$(gofmt -l .); [ -z "$$files" ] || { echo "not gofmt-ed:"; echo "$$files"; exit 1; }

tidy:
	$(call each,go mod tidy -diff)

vet:
	$(call each,go vet ./...)

# All that the tests print, in full: what is seen here leaves out what passed.
export LOG = $(CURDIR)/tmp/tests.log

race: gcc browser servers
	@rm -f $(LOG)
	$(call each,$(CURDIR)/scripts/tests -race $(FLAGS) ./...)

# Tests that take smaller numbers, or say nothing, under the race detector: here with the whole ones.
full: servers
	$(call each,$(CURDIR)/scripts/full $(FLAGS))

# The log, searched for tokens, keys, values and cookies.
secrets: race
	@go run ./internal/secrets/scan <$(LOG)

# go test runs the seeds of fuzz targets; this sees to it that each target has some.
seeds: race
	@scripts/seeds $(LOG)

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

# The store on PostgreSQL beside scs's, in about three minutes.
bench-postgres:
	$(MAKE) --no-print-directory -C bench postgres

# The store on Redis beside scs's, in about two minutes.
bench-redis:
	$(MAKE) --no-print-directory -C bench redis

# What many users need, and what one who floods costs another, in about two minutes.
bench-multiuser:
	$(MAKE) --no-print-directory -C bench multiuser

# An application on scs beside the same on compat/scs, in about three minutes.
bench-scs: servers
	cd compat/testapps && HARDY_SPEED=8 go test -count=1 -timeout 20m -v -run '^TestSpeed$$' .

# Takes the checks out one by one and shows the test that fails without each.
mutate:
	go run ./internal/mutate

# Histories by the thousand, and stores' servers killed again and again under load: about half an hour.
soak: servers
	@scripts/soak
