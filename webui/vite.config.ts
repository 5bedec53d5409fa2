/// <reference types="vitest/config" />
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

const frontDoor = process.env.IMAGOMORTIS_URL ?? 'http://localhost:30080'

export default defineConfig({
  plugins: [svelte({ configFile: false })],
  build: { target: 'es2023', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  worker: { format: 'es' },
  // `npm run dev` shows the page as it is written, on the system that `make up` started
  server: { proxy: { '/api': frontDoor, '/upload': frontDoor } },
  test: { include: ['src/**/*.test.ts'], testTimeout: 60_000, expect: { poll: { timeout: 50_000 } }, pool: 'threads' },
})
