import type { ContainerContext, ImageProcess, ImageResolver, ProcessSpec } from '@skipper/api';

/** The image of the suite's pods. Its command is `node`. */
export const nodeImage = 'node:22-alpine';

/** Runs {@link nodeImage} with the Node.js that runs the tests, honouring command and args. */
export const resolveNodeImage: ImageResolver = (image) => (image === nodeImage ? nodeProcess : undefined);

const nodeProcess: ImageProcess = {
  async prepare() {},
  async start(context) {
    return spec([...(context.command ?? ['node']), ...(context.args ?? [])], context);
  },
  async exec(argv, context) {
    return argv[0] === 'node' || argv[0] === 'sh' ? spec(argv, context) : undefined;
  },
};

function spec(argv: string[], context: ContainerContext): ProcessSpec {
  const [program = 'node', ...args] = argv;
  return {
    file: program === 'node' ? process.execPath : program === 'sh' ? '/bin/sh' : program,
    args,
    // Pods of an embedded cluster share one network: a server listens on its pod's own address.
    env: { PATH: process.env['PATH'] ?? '', ...context.env, LISTEN_ADDRESS: context.podIP },
  };
}
