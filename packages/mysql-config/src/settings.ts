import { existsSync } from 'node:fs'
import { z } from 'zod'

/**
 * The settings that every service which talks to MySQL or MariaDB reads, as a zod raw shape to spread into the service's own
 * schema. MYSQL_USER has no default here: each service has a database user of its own.
 */
export const mysqlSettings = {
  MYSQL_HOST: z.string().min(1).default('127.0.0.1'),
  MYSQL_PORT: z
    .string()
    .default('13306')
    .refine(
      port => /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535,
      'must be a port from 1 to 65535',
    )
    .transform(Number),
  MYSQL_USER: z.string().min(1),
  MYSQL_PASSWORD: z.string().default(''),
  MYSQL_DATABASE: z.string().min(1).default('kafka_pattern'),
  /** Encrypt the connection. */
  MYSQL_TLS: z.stringbool().default(false),
  /** PEM file of the authority that signed the server's certificate, when it is not a public one; it turns TLS on. */
  MYSQL_TLS_CA_FILE: z
    .string()
    .refine(file => existsSync(file), 'this file does not exist')
    .optional(),
  /** Connections that the process opens at most, beside the one that asks after the server's health. */
  MYSQL_POOL_SIZE: z
    .string()
    .default('10')
    .refine(size => /^\d{1,4}$/.test(size) && Number(size) >= 1, 'must be a whole number, at least 1')
    .transform(Number),
}

/** What `mysqlSettings` yields. */
export type MysqlSettings = z.output<z.ZodObject<typeof mysqlSettings>>
