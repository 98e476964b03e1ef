/**
 * For pages: everything from this server, nothing from outside, no frames around it.
 *
 * Inline styles are allowed since the board and the API docs set them from their scripts.
 */
export const CONTENT_SECURITY_POLICY = [
  `default-src 'self'`,
  `style-src 'self' 'unsafe-inline'`,
  `img-src 'self' data:`,
  `font-src 'self' data:`,
  `object-src 'none'`,
  `base-uri 'self'`,
  `form-action 'self'`,
  `frame-ancestors 'none'`,
].join('; ')
