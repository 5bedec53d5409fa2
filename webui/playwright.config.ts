import { defineConfig } from '@playwright/test'
import { join } from 'node:path'

// Time bounds are for what hangs: everything may take many times longer where other work is done beside.
export default defineConfig({
  testDir: 'e2e',
  outputDir: '../.ci/output/browser',
  fullyParallel: false,
  workers: 2, // a test waits for a third of its time; each worker has a browser and the systems that its files need
  timeout: 900_000,
  expect: { timeout: 240_000 },
  reporter: [['list']],
  use: {
    actionTimeout: 120_000,
    navigationTimeout: 120_000,
    screenshot: 'only-on-failure',
    viewport: { width: 1280, height: 800 },
    launchOptions: {
      executablePath: join(import.meta.dirname, 'e2e', 'chromium'),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--host-resolver-rules=MAP *.test 127.0.0.1', // other hosts, on plain http, which localhost never is
      ],
    },
  },
})
