import { readFileSync } from 'node:fs';
import type { Engine } from '../engine.ts';
import { ProcessPod } from './process-pod.ts';

/** A service that a contract is held against. */
export interface RunningService {
  address: { host: string; port: number };
  /** The administrator's. */
  password: string;
  /** Kills the engine and starts it again, where that can be done. */
  restart?(): Promise<void>;
  /** What it has logged, where that can be seen. */
  output?(): string;
  end(): Promise<void>;
}

/**
 * The engine as a process of this machine; or the service that `CONTRACT_ADDRESS` (`host:port`) names, say a pod's through a tunnel, with
 * the administrator's password in the file `CONTRACT_PASSWORD_FILE` and the engine's type in `CONTRACT_ENGINE`.
 */
export async function runningService(engine: Engine, startMs?: number): Promise<RunningService> {
  const { CONTRACT_ADDRESS: address, CONTRACT_PASSWORD_FILE: passwordFile } = process.env;
  if (address && passwordFile) {
    const { hostname, port } = new URL(`tcp://${address}`);
    return {
      address: { host: hostname, port: Number(port) },
      password: readFileSync(passwordFile, 'utf8').trim(),
      end: async () => undefined,
    };
  }
  const pod = await ProcessPod.create(engine);
  await pod.start(startMs);
  return {
    address: { host: pod.ip, port: engine.ports[0].port },
    password: pod.password,
    restart: async () => {
      await pod.stop('SIGKILL');
      await pod.start(startMs);
    },
    output: () => pod.output,
    end: () => pod.destroy(),
  };
}
