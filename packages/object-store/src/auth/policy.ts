/** A subset of IAM's policy language: what MinIO's users get. */
export interface PolicyDocument {
  Version: string;
  Statement: PolicyStatement[];
}

export interface PolicyStatement {
  Sid?: string;
  Effect: 'Allow' | 'Deny';
  Action?: string | string[];
  NotAction?: string | string[];
  Resource?: string | string[];
  NotResource?: string | string[];
  Condition?: Record<string, Record<string, string | string[]>>;
}

/** What somebody wants to do. */
export interface Attempt {
  /** For example `s3:GetObject`. */
  action: string;
  /** Bucket, or bucket and key with a slash between; empty for what belongs to no bucket. */
  resource: string;
  /** For conditions, for example `s3:prefix`. */
  values?: Readonly<Record<string, string>>;
}

const conditions: Record<string, (value: string | undefined, wanted: string[]) => boolean> = {
  StringEquals: (value, wanted) => value !== undefined && wanted.includes(value),
  StringNotEquals: (value, wanted) => value === undefined || !wanted.includes(value),
  StringEqualsIgnoreCase: (value, wanted) => value !== undefined && wanted.some((one) => one.toLowerCase() === value.toLowerCase()),
  StringLike: (value, wanted) => value !== undefined && wanted.some((one) => isLike(value, one)),
  StringNotLike: (value, wanted) => value === undefined || !wanted.some((one) => isLike(value, one)),
};
const conditionKeys = new Set(['s3:prefix', 's3:delimiter', 's3:max-keys', 'aws:username']);
const resourcePrefix = 'arn:aws:s3:::';

/**
 * Reads a policy. Whatever is not understood is refused rather than passed over: a condition that is not looked at would allow too much.
 * @throws Error with a sentence that says what is wrong
 */
export function parsePolicy(text: string): PolicyDocument {
  const document = JSON.parse(text) as PolicyDocument;
  if (typeof document !== 'object' || document === null || !Array.isArray(document.Statement))
    throw new Error('the policy has no Statement');
  if (!['2012-10-17', '2008-10-17', '', undefined].includes(document.Version))
    throw new Error(`the policy's Version ${JSON.stringify(document.Version)} is unknown`);
  for (const statement of document.Statement) checkStatement(statement);
  return document;
}

const statementKeys = new Set(['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition']);

function checkStatement(statement: PolicyStatement): void {
  if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny') throw new Error('a statement\'s Effect is neither "Allow" nor "Deny"');
  const unknown = Object.keys(statement).find((key) => !statementKeys.has(key));
  if (unknown) throw new Error(`statements with ${unknown} are not supported`);
  for (const name of ['Action', 'NotAction', 'Resource', 'NotResource'] as const)
    if (!many(statement[name]).every((value) => typeof value === 'string')) throw new Error(`a statement's ${name} is not text`);
  const actions = [...many(statement.Action), ...many(statement.NotAction)];
  if (actions.length === 0) throw new Error('a statement has no Action');
  const resources = [...many(statement.Resource), ...many(statement.NotResource)];
  if (resources.length === 0 && !actions.every((action) => action.startsWith('admin:'))) throw new Error('a statement has no Resource');
  for (const resource of resources)
    if (resource !== '*' && !resource.startsWith(resourcePrefix)) throw new Error(`the Resource ${JSON.stringify(resource)} is not of S3`);
  for (const [operator, values] of Object.entries(statement.Condition ?? {})) {
    if (!Object.hasOwn(conditions, operator)) throw new Error(`the condition ${operator} is not supported`);
    const key = Object.keys(values).find((name) => !conditionKeys.has(name));
    if (key) throw new Error(`conditions on ${key} are not supported`);
  }
}

/** Whether the policies together allow it: one that allows, and none that denies. */
export function allows(policies: readonly PolicyDocument[], attempt: Attempt, username: string): boolean {
  const matching = policies.flatMap(({ Statement }) => Statement.filter((statement) => applies(statement, attempt, username)));
  return matching.some(({ Effect }) => Effect === 'Allow') && !matching.some(({ Effect }) => Effect === 'Deny');
}

function applies(statement: PolicyStatement, { action, resource, values = {} }: Attempt, username: string): boolean {
  const fill = (pattern: string): string => pattern.replaceAll('${aws:username}', username);
  const actionIsLike = (pattern: string): boolean => isLike(action.toLowerCase(), pattern.toLowerCase());
  if (statement.Action !== undefined && !many(statement.Action).some(actionIsLike)) return false;
  if (statement.NotAction !== undefined && many(statement.NotAction).some(actionIsLike)) return false;
  // What belongs to no bucket, such as an administrator's action, is reached by the action alone.
  const resourceIsLike = (pattern: string): boolean => resource === '' || isLike(`${resourcePrefix}${resource}`, fill(pattern));
  if (statement.Resource !== undefined && !many(statement.Resource).some(resourceIsLike)) return false;
  if (statement.NotResource !== undefined && many(statement.NotResource).some(resourceIsLike)) return false;
  const known: Record<string, string> = { ...values, 'aws:username': username };
  return Object.entries(statement.Condition ?? {}).every(([operator, wanted]) =>
    Object.entries(wanted).every(([key, value]) => conditions[operator]!(known[key], many(value).map(fill))),
  );
}

const many = (value: string | string[] | undefined): string[] => (value === undefined ? [] : Array.isArray(value) ? value : [value]);

/** `*` is any text, `?` any one character. Takes time in proportion to text and pattern, whatever the pattern. */
export function isLike(text: string, pattern: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  let from = 0;
  while (at < text.length) {
    if (from < pattern.length && pattern[from] === '*') {
      star = from++;
      resume = at;
    } else if (from < pattern.length && (pattern[from] === '?' || pattern[from] === text[at])) {
      at++;
      from++;
    } else if (star >= 0) {
      from = star + 1;
      at = ++resume;
    } else return false;
  }
  while (pattern[from] === '*') from++;
  return from === pattern.length;
}
