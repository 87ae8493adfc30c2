import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// WXSTEWARD_URL is the running program that `npm run dev` passes API calls to.
const backend = process.env.WXSTEWARD_URL ?? 'http://localhost:8080';

export default defineConfig({
  base: '/admin/',
  plugins: [react()],
  build: {
    target: 'es2022',
    // Small files must not become data: URLs; the content security policy and the cache work on real files.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  server: {
    port: 5173,
    proxy: {
      '/api': backend,
      '/authorize': backend,
      '/simulator': backend,
    },
  },
  test: {
    include: ['src/**/*.test.ts'],
    environment: 'node',
  },
});
