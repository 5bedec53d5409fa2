-- Gives what the present role owns in a database to the role of the parts; the bootstrap superuser has no REASSIGN OWNED.
DO $$
DECLARE statement text;
BEGIN
    FOR statement IN
        WITH ours AS (
            SELECT oid, nspname, nspowner FROM pg_namespace
            WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
        ), mine AS (
            SELECT oid FROM pg_roles WHERE rolname = current_user
        )
        SELECT format('SCHEMA %I', nspname) FROM ours WHERE nspowner IN (TABLE mine)
        UNION ALL
        SELECT format('TABLE %s', c.oid::regclass) FROM pg_class c
        WHERE relowner IN (TABLE mine) AND relnamespace IN (SELECT oid FROM ours) AND relkind = ANY ('{r,p,v,m,f,S}')
            -- a sequence of a column goes with its table
            AND NOT (relkind = 'S' AND EXISTS (
                SELECT FROM pg_depend d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = ANY ('{a,i}')))
        UNION ALL
        SELECT format('ROUTINE %s', oid::regprocedure) FROM pg_proc
        WHERE proowner IN (TABLE mine) AND pronamespace IN (SELECT oid FROM ours)
        UNION ALL
        SELECT format('TYPE %s', t.oid::regtype) FROM pg_type t LEFT JOIN pg_class c ON c.oid = typrelid
        WHERE typowner IN (TABLE mine) AND typnamespace IN (SELECT oid FROM ours)
            AND (typtype = ANY ('{e,d,r}') OR relkind = 'c')
    LOOP
        EXECUTE format('ALTER %s OWNER TO imagomortis_parts', statement);
    END LOOP;
END $$;
