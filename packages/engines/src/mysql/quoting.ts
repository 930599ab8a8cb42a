/** A string, for sessions whose `sql_mode` lets a backslash escape, which is the default. */
export const literal = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

export const identifier = (name: string): string => `\`${name.replaceAll('`', '``')}\``;
