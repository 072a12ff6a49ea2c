import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['browser/**/*.test.ts'],
    // Vitest puts a BASE_URL of its own in the place of ours.
    env: { FEDILAKE_BASE_URL: process.env.BASE_URL ?? '' },
    // One reader at a time: the tests share one lake, and one machine.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
