/** What one request asks of one limiter. */

export interface Claim {
  readonly limiter: string;
  readonly key: string;
  readonly permits: number;
  readonly tokens: number;
  /** Whether each permit shall have a slot. */
  readonly slots: boolean;
}
