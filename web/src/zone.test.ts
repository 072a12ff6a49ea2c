import { describe, expect, it } from 'vitest'

import { nearestStep, stepAt } from './steps'
import { instantOf, wallOf, wallOfText } from './zone'

const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Pacific/Auckland', 'Australia/Lord_Howe']

describe('wall clocks', () => {
  it('lead back to their instant, but for the hour that comes twice', () => {
    for (const zone of ZONES) {
      for (let instant = Date.UTC(2023, 0, 1, 0, 17); instant < Date.UTC(2024, 0, 1); instant += 7 * 3600e3) {
        const back = instantOf(wallOf(instant, zone), zone)
        expect(wallOf(back, zone), `${zone} ${new Date(instant).toISOString()}`).toBe(wallOf(instant, zone))
        expect(back).toBeLessThanOrEqual(instant)
      }
    }
  })
  it('are those of the zone', () => {
    expect(wallOf(Date.UTC(2023, 6, 1, 12), 'Europe/Berlin')).toBe(Date.UTC(2023, 6, 1, 14))
    expect(instantOf(Date.UTC(2023, 0, 1), 'America/New_York')).toBe(Date.UTC(2023, 0, 1, 5))
    // Clocks were put back at 3:00: 2:30 came twice, and the first counts.
    expect(instantOf(Date.UTC(2023, 9, 29, 2, 30), 'Europe/Berlin')).toBe(Date.UTC(2023, 9, 29, 0, 30))
    // Clocks were put forward at 2:00: 2:30 never came.
    expect(instantOf(Date.UTC(2023, 2, 26, 2, 30), 'Europe/Berlin')).toBe(Date.UTC(2023, 2, 26, 1, 30))
  })
  it('come from dates, wall clocks and instants', () => {
    expect(wallOfText('2023-02-04', 'Europe/Berlin')).toBe(Date.UTC(2023, 1, 4))
    expect(wallOfText('2023-02-04T05:00:00', 'Europe/Berlin')).toBe(Date.UTC(2023, 1, 4, 5))
    expect(wallOfText('2023-02-04T05:00:00Z', 'Europe/Berlin')).toBe(Date.UTC(2023, 1, 4, 6))
  })
})

describe('steps', () => {
  it('of weeks begin on Monday', () => {
    for (let day = 5; day < 12; day++) expect(stepAt(Date.UTC(2023, 5, day, 13), 'week')).toBe(Date.UTC(2023, 5, 5))
    expect(stepAt(Date.UTC(1969, 11, 31), 'week')).toBe(Date.UTC(1969, 11, 29))
  })
  it('are met by the nearest beginning', () => {
    expect(nearestStep(Date.UTC(2023, 5, 5, 11), 'day')).toBe(Date.UTC(2023, 5, 5))
    expect(nearestStep(Date.UTC(2023, 5, 5, 12), 'day')).toBe(Date.UTC(2023, 5, 6))
  })
})
