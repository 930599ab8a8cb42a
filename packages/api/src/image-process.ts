/**
 * How a container image runs as a plain process on a machine without containers. The embedded cluster's node is handed a
 * resolver from images to these; the engines provide them.
 */
export interface ImageProcess {
  /**
   * Makes the programs available, downloading them when they are missing. Called before each container start; returns at
   * once when there is nothing to do.
   * @throws KipError `engine-unavailable` when the program cannot be had here; its hint says the ways to get it.
   */
  prepare(context: PrepareContext): Promise<void>;
  /** The main process of a container. May run set-up programs first, through `context.run`; must be safe to kill at any point. */
  start(context: ContainerContext): Promise<ProcessSpec>;
  /**
   * What `exec` and exec probes run for `argv`: a process, or a function for small tools that the image has and this machine
   * has not. `undefined`: no such command in this image.
   */
  exec?(argv: string[], context: ContainerContext): Promise<ProcessSpec | BuiltinCommand | undefined>;
}

/**
 * The image of an app that has none: Kubernetes wants one in every container. Only the embedded cluster runs it, as it runs every
 * container with a command whose image no engine provides: as a process of the machine.
 */
export const processImage = 'skipper.dev/process:host';

export type ImageResolver = (image: string) => ImageProcess | undefined;

export interface PrepareContext {
  /** Folder for downloaded programs; shared between pods and readable by every user. */
  enginesDir: string;
  /** @param fraction 0 to 1 when known. */
  progress(message: string, fraction?: number): void;
  signal: AbortSignal;
}

export interface ContainerContext {
  enginesDir: string;
  namespace: string;
  podName: string;
  containerName: string;
  /** The loopback address that belongs to this pod alone; servers listen here and nowhere else. */
  podIP: string;
  /** The container's environment, with Secret, ConfigMap and field references resolved. */
  env: Record<string, string>;
  /** `command` and `args` of the container, `$(VAR)` expanded; undefined when the image's own are meant. */
  command: string[] | undefined;
  args: string[] | undefined;
  /** Host path for a path inside the container, by its volume mounts; a path on no volume lies in a scratch folder of the pod. */
  hostPath(containerPath: string): string;
  /** Unprivileged user and group the pod's processes run as when the cluster itself runs as root. */
  uid: number | undefined;
  gid: number | undefined;
  /** Runs a set-up program as the pod's user to its end, its output going to the container's log. @throws with stderr's end when it fails. */
  run(spec: ProcessSpec): Promise<void>;
  signal: AbortSignal;
}

/** A process to spawn. */
export interface ProcessSpec {
  file: string;
  args: string[];
  /** The whole environment of the process. */
  env?: Record<string, string>;
  cwd?: string;
  /** The signal that asks for a graceful stop. Default SIGTERM. */
  stopSignal?: NodeJS.Signals;
  /** What this is, for people, where it is another program than the one that the image is named after. */
  standIn?: string;
}

const standInScheme = 'stand-in://';

/** The `imageID` in the status of a container that runs another program than the one that its image is named after. */
export const imageIdOfStandIn = (program: string): string => `${standInScheme}${program}`;

/** What {@link imageIdOfStandIn} was made of; `undefined` for the identity of an image. */
export const standInOf = (imageId: string): string | undefined =>
  imageId.startsWith(standInScheme) ? imageId.slice(standInScheme.length) : undefined;

/** A command carried out in the node's own process. Never sees standard input. */
export interface BuiltinCommand {
  (signal: AbortSignal): Promise<{ exitCode: number; stdout?: string; stderr?: string }>;
}
