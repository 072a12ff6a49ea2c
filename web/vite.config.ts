import { defineConfig } from 'vite'

const target = process.env.BASE_URL ?? 'http://127.0.0.1:7878'
// A program that runs answers its own page only: this one comes to it as that.
const proxy = { '/api': { target, changeOrigin: true, headers: { origin: target } } }

export default defineConfig({
  build: {
    target: 'es2022',
    // Inlined files would be data: addresses, which the page's Content-Security-Policy refuses for scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy },
  // The built page before a running program, under the policy with which the program serves it.
  preview: { proxy, headers: { 'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" } },
})
