// Writes the types of the API and the uploader from their OpenAPI documents: `npm run api`.
// With --check it only says whether the files are as they would be written.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import openapiTS, { astToString } from 'openapi-typescript'

const here = dirname(fileURLToPath(import.meta.url))
const python = process.env.PYTHON ?? join(here, '..', '.venv', 'bin', 'python')
const documents = {
  api: `from api_service.app import create_app; app = create_app(Settings(), "")`,
  uploader: `from upload_service.app import create_app; app = create_app(Settings())`,
}

/** The document of a service, without the texts that no type needs. */
function load(code) {
  const program = `import json; from imagomortis.settings import Settings; ${code}; print(json.dumps(app.openapi()))`
  const home = mkdtempSync(join(tmpdir(), 'imagomortis-api-'))
  try {
    const env = { ...process.env, IMAGOMORTIS_HOME: home, IMAGOMORTIS_SPOOL: join(home, 'spool') }
    return slim(JSON.parse(execFileSync(python, ['-c', program], { cwd: join(here, '..'), env, maxBuffer: 1 << 26 })))
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

function slim(part, isMap = false) {
  if (Array.isArray(part)) return part.map((item) => slim(item))
  if (part === null || typeof part !== 'object') return part
  const dropped = new Set(['description', 'summary', 'example', 'examples', 'title'])
  return Object.fromEntries(
    Object.entries(part)
      .filter(([key, value]) => isMap || !dropped.has(key) || typeof value === 'object' && key === 'title')
      .map(([key, value]) => [key, slim(value, key === 'properties' || key === 'schemas')]),
  )
}

let stale = false
for (const [name, code] of Object.entries(documents)) {
  const file = join(here, 'src', 'api', `${name}.d.ts`)
  const types = `// Written by \`npm run api\` from the OpenAPI document: do not edit.\n\n${astToString(await openapiTS(load(code)))}`
  if (!process.argv.includes('--check')) writeFileSync(file, types)
  else if (!existsSync(file) || readFileSync(file, 'utf8') !== types) {
    console.error(`${file} is older than the API: run \`npm run api\`.`)
    stale = true
  }
}
process.exit(stale ? 1 : 0)
