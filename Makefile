# Every command a person types. Targets call scripts/; the first one on a fresh clone sets the workspace up (scripts/setup.sh).
# Variables: RUNTIME=local|containers, SERVICE=<name>, N=<instances>, JSON=1, STEPS=1, REPLAY=<dead-letter topic>, CATEGORY='retries exhausted', QUERY='<SQL>', FIGURE=<name of a benchmark>, TEST_STACK=local|containers, TEST_LOG_LEVEL=<level>, and all of .env.example.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help up cdc-up outbox-up cdc-debezium-up outbox-debezium-up lambda-invoke cluster-up watch lag ui-up scale ps logs down clean dlt sql doctor test test-unit check prove bench

# As it was typed: make would take the $ of a JSON path for one of its own variables.
ifeq ($(origin QUERY),command line)
export override QUERY := $(value QUERY)
endif

RUN := @scripts/setup.sh

help: ## this list
	@scripts/help.sh

# Instead of make's own sentence, which does not tell what a mistyped name could have been.
Makefile: ;
.DEFAULT:
	@echo "There is no 'make $@'. These are:" >&2; scripts/help.sh | sed 1,2d >&2; exit 2

up: ## start Kafka, three producers and two consumers, and watch records travel
	$(RUN) scripts/up.ts pubsub

cdc-up: ## change data capture: rows become records of a topic, and a replica follows
	$(RUN) scripts/up.ts cdc

outbox-up: ## the transactional outbox: every change an event, exactly once, and a replica follows
	$(RUN) scripts/up.ts outbox

cdc-debezium-up: ## cdc-up with Debezium in the place of cdc-poller
	$(RUN) scripts/up.ts cdc-debezium

outbox-debezium-up: ## outbox-up with Debezium in the place of outbox-relay
	$(RUN) scripts/up.ts outbox-debezium

cluster-up: ## make up on three brokers; then one is killed under load, and nothing is lost
	$(RUN) scripts/up.ts cluster

lambda-invoke: ## lambda-producer as Lambda runs it, with events of API Gateway, and its records as a consumer sees them
	$(RUN) scripts/lambda-invoke.ts

watch: ## the trip of each record in one line, until Ctrl-C; make watch STEPS=1 for each step
	$(RUN) scripts/watch.ts

lag: ## how far everybody is behind, live until Ctrl-C; make lag JSON=1 for one look as JSON
	$(RUN) scripts/lag.ts $(if $(filter-out 0,$(JSON)),--json)

ui-up: ## look at topics, groups and connectors in a browser: kafbat's kafka-ui and Redpanda Console (containers only)
	$(RUN) scripts/ui.ts

scale: ## more or fewer of a service: make scale SERVICE=batch-consumer N=3
	$(RUN) scripts/scale.ts

ps: ## what runs, where, and whether it is ready
	$(RUN) scripts/ps.ts

logs: ## the log of one service: make logs SERVICE=user-api
	$(RUN) scripts/logs.ts

down: ## stop everything; the data stays
	$(RUN) scripts/down.ts

clean: ## stop everything and remove all data
	$(RUN) scripts/clean.ts

dlt: ## what is in the dead-letter topics; make dlt REPLAY=<topic> sends it back, CATEGORY='retries exhausted' only those
	$(RUN) scripts/dlt.ts

sql: ## the database's own client, as root; make sql QUERY='SELECT * FROM users' for one statement
	$(RUN) scripts/sql.ts

doctor: ## check tools, ports, disk, Kafka, MySQL and Connect; says what to change
	$(RUN) scripts/doctor.ts

test: ## all tests: unit, integration (real Kafka), end-to-end (these targets)
	$(RUN) scripts/test.ts

test-unit: ## the tests that need no broker, in seconds
	$(RUN) scripts/test.ts --project unit

check: ## types, lint, format
	$(RUN) --with bench scripts/check.ts

prove: ## two ways that look right and lose changes, each beside one that does not: predicted, done, counted
	$(RUN) scripts/prove.ts

bench: ## measure this project and its peers in one run; make bench FIGURE=http for one figure
	$(RUN) --with bench bench/src/run.ts
