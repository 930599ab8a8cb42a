/** How kip's changes of a spec are known in Kubernetes. */
export const fieldManager = 'skipper-cli';
/** What kip asks for once, by an annotation. Apart, so that applying a manifest does not take it back. */
export const requestManager = 'skipper-cli-request';
