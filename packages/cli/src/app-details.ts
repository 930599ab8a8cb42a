import type { App } from '@skipper/api';
import { appSummaryOf, whatRuns, type AppSummary } from './apps.ts';
import { printable, table } from './output.ts';

/** What `kip app info` shows, for programs. */
export function appDetails(
  app: App,
  scope: { project: string; environment: string | undefined },
): AppSummary & { bindings: BindingDetails[] } {
  return { ...appSummaryOf(app, scope), bindings: bindingDetails(app) };
}

interface BindingDetails {
  service: string;
  database: string | undefined;
  username: string | undefined;
  ready: boolean;
  reason: string;
  message: string;
}

function bindingDetails({ spec, status }: App): BindingDetails[] {
  return (spec.bindings ?? []).map(({ service, database }) => {
    const seen = status?.bindings?.find((binding) => binding.service === service);
    if (!seen)
      return { service, database, username: undefined, ready: false, reason: 'Pending', message: 'The operator has not seen it yet.' };
    const { username, ready, reason, message } = seen;
    return { service, database: seen.database, username, ready, reason, message };
  });
}

/** What `kip app info` shows, for people. */
export function appText(app: App): string {
  const summary = appSummaryOf(app);
  const lines: [string, string][] = [
    [summary.image === undefined ? 'Command' : 'Image', whatRuns(summary)],
    ['Status', summary.status],
    ['Replicas', summary.ready],
    ...(summary.address === undefined ? [] : [['Address', summary.address] as [string, string]]),
    ...(summary.url === undefined ? [] : [['URL', summary.url] as [string, string]]),
  ];
  const text = lines.map(([label, value]) => `  ${`${label}:`.padEnd(9)} ${printable(value)}`).join('\n');
  const bindings = bindingDetails(app);
  if (bindings.length === 0) return text;
  const rows = bindings.map(({ service, database = '-', username = '-', ready, reason }) => [
    service,
    database || '-',
    username || '-',
    ready ? 'ready' : reason,
  ]);
  return `${text}\n\n${table([['SERVICE', 'DATABASE', 'USERNAME', 'STATUS'], ...rows])}`;
}
