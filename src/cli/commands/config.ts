import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { addConfigCheck } from './config-check.ts'
import { addConfigInit } from './config-init.ts'

export function addConfig(program: Command, cli: Cli): void {
  const command = program.command('config').description('check the routing table, or write a first one')
  addConfigCheck(command, cli)
  addConfigInit(command, cli)
}
