/** Codes, statuses and texts of MinIO's admin API: clients match the code. */
const failures = {
  NotImplemented: [501, 'A header you provided implies functionality that is not implemented'],
  XMinioAdminConfigBadJSON: [400, 'JSON configuration provided is of incorrect format'],
  XMinioAdminInvalidAccessKey: [400, 'The access key is invalid.'],
  XMinioAdminInvalidArgument: [400, 'Invalid arguments specified.'],
  XMinioAdminInvalidSecretKey: [400, 'The secret key is invalid.'],
  XMinioAdminNoSuchPolicy: [404, 'The canned policy does not exist.'],
  XMinioAdminNoSuchUser: [404, 'The specified user does not exist.'],
  XMinioAdminPolicyChangeAlreadyApplied: [400, 'The specified policy change is already in effect.'],
  XMinioAdminVersionMismatch: [426, "This 'admin' API is not supported by this server"],
  XMinioIAMPolicyInUse: [400, 'The policy cannot be removed, as it is in use'],
  XMinioInvalidIAMCredentials: [403, 'Credential is not allowed to be same as admin access key'],
  XMinioMalformedIAMPolicy: [400, 'The policy is malformed.'],
} as const satisfies Record<string, readonly [status: number, message: string]>;

/** A failure that the caller of the admin API is told of. */
export class AdminError extends Error {
  override readonly name = 'AdminError';
  readonly code: keyof typeof failures;
  readonly status: number;
  constructor(code: keyof typeof failures, message?: string) {
    super(message ?? failures[code][1]);
    this.code = code;
    this.status = failures[code][0];
  }
}
