-- The catalog: images and their queue, their bytes, attempts, workers, recipes.

CREATE TABLE images (
    id               uuid        PRIMARY KEY,
    created_at       timestamptz NOT NULL,
    filename         text        NOT NULL,
    media_type       text        NOT NULL,
    sha256           bytea       NOT NULL CHECK (octet_length(sha256) = 32),
    size             bigint      NOT NULL CHECK (size > 0),
    width            integer     NOT NULL CHECK (width > 0),
    height           integer     NOT NULL CHECK (height > 0),
    state            text        NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'processing', 'done', 'failed')),
    recipe           jsonb       NOT NULL,
    recipe_digest    text        NOT NULL,
    recipe_name      text,
    attempt          integer     NOT NULL DEFAULT 0,
    failed_attempts  integer     NOT NULL DEFAULT 0,
    progress         jsonb       NOT NULL DEFAULT '{}',
    lease_token      uuid,
    lease_expires_at timestamptz,
    leased_at        timestamptz,
    run_id           text,
    finished_at      timestamptz,
    error            text,
    error_kind       text,
    deleted_at       timestamptz,
    changed_in       xid8        NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT a_lease_is_whole CHECK ((state = 'processing') = (lease_token IS NOT NULL)
                                   AND (lease_token IS NULL) = (lease_expires_at IS NULL)),
    CONSTRAINT a_finish_has_its_time CHECK ((state IN ('done', 'failed')) <= (finished_at IS NOT NULL)),
    CONSTRAINT a_failure_has_its_cause CHECK (state <> 'failed' OR error IS NOT NULL)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE INDEX images_newest_first ON images (created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX images_by_state ON images (state, created_at DESC, id DESC) WHERE deleted_at IS NULL AND state <> 'done';
CREATE INDEX images_queued ON images (created_at, id) WHERE state = 'queued' AND deleted_at IS NULL;
CREATE INDEX images_leased ON images (id) WHERE state = 'processing';
CREATE INDEX images_deleted ON images (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX images_by_digest ON images (sha256);
CREATE INDEX images_by_change ON images (changed_in);

-- A picture's bytes stand beside the queue, so that its rows stay small; EXTERNAL stores them as they are (they are
-- compressed already), and substring() then reads a range without the rest.
CREATE TABLE originals (
    image_id uuid  PRIMARY KEY REFERENCES images ON DELETE CASCADE,
    bytes    bytea NOT NULL
);
ALTER TABLE originals ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE renditions (
    image_id      uuid        NOT NULL REFERENCES images ON DELETE CASCADE,
    kind          text        NOT NULL CHECK (kind IN ('processed', 'thumbnail')),
    media_type    text        NOT NULL,
    width         integer     NOT NULL,
    height        integer     NOT NULL,
    size          bigint      NOT NULL,
    sha256        bytea       NOT NULL,
    recipe_digest text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    bytes         bytea       NOT NULL,
    PRIMARY KEY (image_id, kind)
);
ALTER TABLE renditions ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE attempts (
    image_id   uuid        NOT NULL REFERENCES images ON DELETE CASCADE,
    attempt    integer     NOT NULL,
    run_id     text        NOT NULL,
    outcome    text        NOT NULL CHECK (outcome IN ('done', 'failed', 'lost')),
    started_at timestamptz NOT NULL,
    ended_at   timestamptz NOT NULL,
    seconds    double precision,
    error      text,
    error_kind text,
    PRIMARY KEY (image_id, attempt)
);
CREATE INDEX attempts_by_time ON attempts USING brin (ended_at) WITH (pages_per_range = 16, autosummarize = on);

CREATE TABLE workers (
    id           uuid        PRIMARY KEY,
    hour         timestamptz NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    run_id       text,
    started_at   timestamptz,
    seen_at      timestamptz,
    gone_at      timestamptz,
    images       integer     NOT NULL DEFAULT 0
);
CREATE INDEX workers_here ON workers (id) WHERE gone_at IS NULL;

-- A run that reprocesses an hour puts its images back once, however often its step starts.
CREATE TABLE reprocessings (
    run_id     text        PRIMARY KEY,
    hour       timestamptz NOT NULL,
    images     integer     NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE recipes (
    name        text        PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    title       text        NOT NULL,
    description text        NOT NULL DEFAULT '',
    recipe      jsonb       NOT NULL,
    digest      text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

-- One row: whether processing is paused, and the last change of an image that was purged.
CREATE TABLE control (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    paused_at timestamptz,
    purged_in xid8
);
INSERT INTO control DEFAULT VALUES;
