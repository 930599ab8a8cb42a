import { engines } from '../catalog.ts';
import { administrator, type Engine, type ServiceAccess } from '../engine.ts';
import { drivers } from './drivers.ts';
import { usualStartMs } from './process-pod.ts';
import { runningService, type RunningService } from './running-service.ts';

const engineNamed = process.env['CONTRACT_ENGINE'];

/** The engines that have accounts, with what drives them. */
export const tested = engines.flatMap((engine) => {
  const accounts = engine.accounts;
  const driver = drivers[engine.type]?.accounts;
  const { startMs = usualStartMs } = drivers[engine.type] ?? {};
  return accounts && driver && (engineNamed ?? engine.type) === engine.type
    ? [{ type: engine.type, engine, accounts, driver, startMs }]
    : [];
});

/** @param startMs how long the engine's start may take */
export async function startWithAccounts(engine: Engine, startMs: number): Promise<{ service: RunningService; access: ServiceAccess }> {
  const service = await runningService(engine, startMs);
  const access: ServiceAccess = {
    administrator: { username: administrator, password: service.password },
    // Ports besides the first are those of the engine.
    endpoint: async (name) => {
      const other = engine.ports.slice(1).find((port) => port.name === name);
      return other ? { host: service.address.host, port: other.port } : service.address;
    },
    signal: AbortSignal.timeout(600_000),
  };
  return { service, access };
}
