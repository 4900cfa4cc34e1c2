/** What the server does where no file is named: enough to try it with one command. */

export const DEFAULT_CONFIG = `# The configuration of a server that was started without a file.
limiters:
  # A sample to try things with: one permit, free again as soon as the stream of its holder ends.
  - name: sample
    description: A sample of the default configuration, to try things with; name a file to declare limiters of your own.
    max_concurrent: 1
    ttl: 0s
boards:
  # Backlog, Ready (5), InProgress (3), Review (2), Done.
  - name: default
    description: The board of the default configuration.
`;
