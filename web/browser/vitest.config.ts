import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['browser/**/*.test.ts'],
    // Vitest puts a BASE_URL of its own in the place of ours.
    env: { FEDILAKE_BASE_URL: process.env.BASE_URL ?? '' },
    // One reader at a time: the tests share one lake, and one machine.
    fileParallelism: false,
    // Long, for machines that are busy: every wait is for a condition, and ends with it.
    testTimeout: 240_000,
    hookTimeout: 120_000,
  },
})
