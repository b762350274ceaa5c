CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE message (
    number BIGSERIAL NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    content_type TEXT,
    size BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    idempotency BYTEA,
    edited_from TEXT,
    wiped_at BIGINT,
    first_runs BYTEA NOT NULL,
    headers BYTEA,
    request BYTEA,
    body BYTEA,
    PRIMARY KEY (number),
    CONSTRAINT message_idempotency UNIQUE (idempotency, source),
    UNIQUE (id)
);
CREATE INDEX message_received_at ON message (received_at);
CREATE TABLE workflow (
    name TEXT NOT NULL,
    PRIMARY KEY (name)
);
CREATE TABLE run (
    number BIGSERIAL NOT NULL,
    id TEXT NOT NULL,
    message TEXT NOT NULL,
    workflow TEXT NOT NULL,
    trigger TEXT NOT NULL,
    project_version TEXT NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT,
    error_code TEXT,
    attempt INTEGER NOT NULL,
    most_attempts INTEGER NOT NULL,
    queued_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    first_started_at BIGINT,
    ended_at BIGINT,
    fence INTEGER NOT NULL,
    beat BIGINT NOT NULL,
    lease FLOAT NOT NULL,
    worker TEXT,
    place TEXT,
    cancelled BOOLEAN NOT NULL,
    serialize_by BYTEA,
    retry_of TEXT,
    only_failed BOOLEAN NOT NULL,
    settled BOOLEAN NOT NULL,
    failed_items INTEGER NOT NULL,
    log_bytes BIGINT NOT NULL,
    log_dropped BIGINT NOT NULL,
    error BYTEA,
    final BYTEA,
    PRIMARY KEY (number),
    UNIQUE (id),
    CONSTRAINT run_message_fkey FOREIGN KEY(message) REFERENCES message (id)
);
CREATE INDEX ix_run_message ON run (message);
CREATE INDEX ix_run_retry_of ON run (retry_of);
CREATE INDEX run_queue ON run (state, workflow, number);
CREATE INDEX run_serialize_by ON run (workflow, serialize_by, state);
CREATE TABLE step (
    number BIGSERIAL NOT NULL,
    run BIGINT NOT NULL,
    fence INTEGER NOT NULL,
    name TEXT NOT NULL,
    outcome TEXT NOT NULL,
    error_code TEXT,
    kept BOOLEAN NOT NULL,
    ended_at BIGINT NOT NULL,
    seconds FLOAT NOT NULL,
    written BYTEA,
    failed BYTEA,
    received BYTEA,
    output BYTEA,
    PRIMARY KEY (number),
    CONSTRAINT step_of_attempt UNIQUE (run, fence, name),
    CONSTRAINT step_run_fkey FOREIGN KEY(run) REFERENCES run (number)
);
CREATE TABLE attempt (
    run BIGINT NOT NULL,
    fence INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    worker TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    outcome TEXT,
    error_code TEXT,
    PRIMARY KEY (run, fence),
    CONSTRAINT attempt_run_fkey FOREIGN KEY(run) REFERENCES run (number)
);
CREATE TABLE log (
    number BIGSERIAL NOT NULL,
    run BIGINT NOT NULL,
    fence INTEGER NOT NULL,
    step TEXT,
    at BIGINT NOT NULL,
    level TEXT NOT NULL,
    text BYTEA NOT NULL,
    PRIMARY KEY (number),
    CONSTRAINT log_run_fkey FOREIGN KEY(run) REFERENCES run (number)
);
CREATE INDEX log_run ON log (run);
CREATE TABLE cursor (
    workflow TEXT NOT NULL,
    name TEXT NOT NULL,
    run TEXT NOT NULL,
    at BIGINT NOT NULL,
    value BYTEA NOT NULL,
    PRIMARY KEY (workflow, name)
);
INSERT INTO alembic_version (version_num) VALUES ('0001') RETURNING alembic_version.version_num;
INSERT INTO "workflow" ("name") VALUES ('visits');
INSERT INTO "message" ("number", "id", "kind", "source", "received_at", "content_type", "size", "sha256", "idempotency", "edited_from", "wiped_at", "first_runs", "headers", "request", "body") VALUES (1, '018f38bf1d00dc897ffe3802e1993870', 'webhook', 'visits', 1714644000000000, 'application/json', 16, '\x301e21df6bb19154b6865720461952768140c2d8e9e97598c050fa5d0bb305d2'::bytea, '\x9834a14ab9bcaa0f6a8da71073617eac8f004e596a3fa11d807b84631b825d9d'::bytea, NULL, NULL, '\x5b223031386633386266316430303534323834373665396235643166333233363832225d'::bytea, '\x5b5b22782d666f726d222c227669736974225d5d'::bytea, '\x7b226d6574686f64223a22504f5354227d'::bytea, '\x7b226e616d65223a202241736861227d'::bytea);
INSERT INTO "message" ("number", "id", "kind", "source", "received_at", "content_type", "size", "sha256", "idempotency", "edited_from", "wiped_at", "first_runs", "headers", "request", "body") VALUES (2, '018f38bf1d001eb6f86d3bf4da72a688', 'webhook', 'visits', 1714644000000000, 'application/json', 16, '\x301e21df6bb19154b6865720461952768140c2d8e9e97598c050fa5d0bb305d2'::bytea, '\x28a3a5e81d1e89f0efc70b63bf717b921373fc7fac70bc1b7e4d466799c0c6b0'::bytea, NULL, NULL, '\x5b223031386633386266316430306661646438313162303364333835323230656534225d'::bytea, '\x5b5b22782d666f726d222c227669736974225d5d'::bytea, '\x7b226d6574686f64223a22504f5354227d'::bytea, '\x7b226e616d65223a202241736861227d'::bytea);
INSERT INTO "message" ("number", "id", "kind", "source", "received_at", "content_type", "size", "sha256", "idempotency", "edited_from", "wiped_at", "first_runs", "headers", "request", "body") VALUES (3, '018f38bf1d00a8dc5db6d0f523e1891b', 'webhook', 'visits', 1714644000000000, 'application/json', 16, '\x301e21df6bb19154b6865720461952768140c2d8e9e97598c050fa5d0bb305d2'::bytea, '\xd79d3458a58877cd8e48c18ebaf4c27b9d5c1a9cb5dfbdac769a7a21d8a1022e'::bytea, NULL, NULL, '\x5b223031386633386266316430303930383138363734363437326433623166633034225d'::bytea, '\x5b5b22782d666f726d222c227669736974225d5d'::bytea, '\x7b226d6574686f64223a22504f5354227d'::bytea, '\x7b226e616d65223a202241736861227d'::bytea);
INSERT INTO "message" ("number", "id", "kind", "source", "received_at", "content_type", "size", "sha256", "idempotency", "edited_from", "wiped_at", "first_runs", "headers", "request", "body") VALUES (4, '018f38bf1d00114a33d0eef40d98a2db', 'webhook', 'visits', 1714644000000000, 'application/json', 16, '\x301e21df6bb19154b6865720461952768140c2d8e9e97598c050fa5d0bb305d2'::bytea, '\x7c4a345722b40acbdc121843d43b674e9f7c50201f26b4b915931b4f2a73d3d0'::bytea, NULL, NULL, '\x5b223031386633386266316430303239613661626333666166363466613333643566225d'::bytea, '\x5b5b22782d666f726d222c227669736974225d5d'::bytea, '\x7b226d6574686f64223a22504f5354227d'::bytea, '\x7b226e616d65223a202241736861227d'::bytea);
SELECT setval('message_number_seq', (SELECT max(number) FROM message));
INSERT INTO "run" ("number", "id", "message", "workflow", "trigger", "project_version", "state", "outcome", "error_code", "attempt", "most_attempts", "queued_at", "due_at", "first_started_at", "ended_at", "fence", "beat", "lease", "worker", "place", "cancelled", "serialize_by", "retry_of", "only_failed", "settled", "failed_items", "log_bytes", "log_dropped", "error", "final") VALUES (1, '018f38bf1d005428476e9b5d1f323682', '018f38bf1d00dc897ffe3802e1993870', 'visits', 'form', 'v1', 'ended', 'partial', NULL, 1, 3, 1714644000000000, 1714644000000000, 1714644000000000, 1714644000000000, 1, 3, 30.0, 'a', NULL, false, NULL, NULL, false, false, 1, 6, 0, NULL, '\x7b2264617461223a317d'::bytea);
INSERT INTO "run" ("number", "id", "message", "workflow", "trigger", "project_version", "state", "outcome", "error_code", "attempt", "most_attempts", "queued_at", "due_at", "first_started_at", "ended_at", "fence", "beat", "lease", "worker", "place", "cancelled", "serialize_by", "retry_of", "only_failed", "settled", "failed_items", "log_bytes", "log_dropped", "error", "final") VALUES (2, '018f38bf1d00fadd811b03d385220ee4', '018f38bf1d001eb6f86d3bf4da72a688', 'visits', 'form', 'v1', 'dead', 'crashed', 'no_workflow', 1, 3, 1714644000000000, 1714644000000000, 1714644000000000, 1714644000000000, 1, 1, 30.0, 'a', NULL, false, NULL, NULL, false, false, 0, 0, 0, '\x7b22636f6465223a226e6f5f776f726b666c6f77222c226d657373616765223a22676f6e65227d'::bytea, NULL);
INSERT INTO "run" ("number", "id", "message", "workflow", "trigger", "project_version", "state", "outcome", "error_code", "attempt", "most_attempts", "queued_at", "due_at", "first_started_at", "ended_at", "fence", "beat", "lease", "worker", "place", "cancelled", "serialize_by", "retry_of", "only_failed", "settled", "failed_items", "log_bytes", "log_dropped", "error", "final") VALUES (3, '018f38bf1d00908186746472d3b1fc04', '018f38bf1d00a8dc5db6d0f523e1891b', 'visits', 'form', 'v1', 'claimed', NULL, NULL, 1, 3, 1714644000000000, 1714644000000000, 1714644000000000, NULL, 1, 0, 0.0, 'a', 'elsewhere 1', false, NULL, NULL, false, false, 0, 0, 0, NULL, NULL);
INSERT INTO "run" ("number", "id", "message", "workflow", "trigger", "project_version", "state", "outcome", "error_code", "attempt", "most_attempts", "queued_at", "due_at", "first_started_at", "ended_at", "fence", "beat", "lease", "worker", "place", "cancelled", "serialize_by", "retry_of", "only_failed", "settled", "failed_items", "log_bytes", "log_dropped", "error", "final") VALUES (4, '018f38bf1d0029a6abc3faf64fa33d5f', '018f38bf1d00114a33d0eef40d98a2db', 'visits', 'form', 'v1', 'available', NULL, NULL, 0, 3, 1714644000000000, 1714644000000000, NULL, NULL, 0, 0, 0.0, NULL, NULL, false, '\xb22b87fd8ac6c19a6ed4ffd686a6130f5972367a9520a1b8aef33b8b5b5e3340'::bytea, NULL, false, false, 0, 0, 0, NULL, NULL);
SELECT setval('run_number_seq', (SELECT max(number) FROM run));
INSERT INTO "attempt" ("run", "fence", "attempt", "worker", "started_at", "ended_at", "outcome", "error_code") VALUES (1, 1, 1, 'a', 1714644000000000, 1714644000000000, 'partial', NULL);
INSERT INTO "attempt" ("run", "fence", "attempt", "worker", "started_at", "ended_at", "outcome", "error_code") VALUES (2, 1, 1, 'a', 1714644000000000, 1714644000000000, 'crashed', 'no_workflow');
INSERT INTO "attempt" ("run", "fence", "attempt", "worker", "started_at", "ended_at", "outcome", "error_code") VALUES (3, 1, 1, 'a', 1714644000000000, NULL, NULL, NULL);
INSERT INTO "step" ("number", "run", "fence", "name", "outcome", "error_code", "kept", "ended_at", "seconds", "written", "failed", "received", "output") VALUES (1, 1, 1, 'load', 'partial', NULL, true, 1714644000000000, 0.0, '\x7b227761726e696e6773223a5b7b22636f6465223a2277227d5d7d'::bytea, '\x5b7b22696e646578223a302c226974656d223a7b226e616d65223a2241736861227d7d5d'::bytea, NULL, '\x7b2264617461223a317d'::bytea);
SELECT setval('step_number_seq', (SELECT max(number) FROM step));
INSERT INTO "log" ("number", "run", "fence", "step", "at", "level", "text") VALUES (1, 1, 1, 'load', 1714644000000000, 'info', '\x61206c696e65'::bytea);
SELECT setval('log_number_seq', (SELECT max(number) FROM log));
INSERT INTO "cursor" ("workflow", "name", "run", "at", "value") VALUES ('visits', 'at', '018f38bf1d005428476e9b5d1f323682', 1714644000000000, '\x37'::bytea);
