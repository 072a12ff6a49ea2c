import { defineConfig } from 'vite'

export default defineConfig({
  build: {
    target: 'es2022',
    // Inlined files would be data: addresses, which the page's Content-Security-Policy refuses for scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': process.env.FEDILAKE ?? 'http://127.0.0.1:7878' } },
})
