/** DATETIME(6) as the database writes it, and as records carry it: the same digits, so that no microsecond is lost in a Date. */

/** `2026-11-23 12:00:00.123456`, UTC as every session here -> `2026-11-23T12:00:00.123456Z`. */
export function isoFromDatetime(datetime: string): string {
  return `${datetime.slice(0, 10)}T${datetime.slice(11)}Z`
}

/** `2026-11-23T12:00:00.123456Z` -> `2026-11-23 12:00:00.123456`, a literal of both servers (MariaDB takes no `Z`). */
export function datetimeFromIso(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, -1)}`
}
