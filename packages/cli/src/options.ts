/** Options that every command has. */
export interface GlobalOptions {
  context?: string;
  kubeconfig?: string;
  verbose?: boolean;
}

/** Where a service or an app is. */
export interface ScopeOptions extends GlobalOptions {
  project?: string;
  environment?: string;
}

export interface OutputOptions {
  output: 'text' | 'json' | 'yaml';
}

export interface WaitOptions {
  wait: boolean;
  /** Seconds. */
  timeout: number;
}
