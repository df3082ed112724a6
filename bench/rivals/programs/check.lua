-- Checks an HS256 token and counts its subject, as HAProxy's configuration does.
local cjson = require "cjson.safe"
local ffi = require "ffi"

ffi.cdef [[
typedef struct evp_md_st EVP_MD;
const EVP_MD *EVP_sha256(void);
unsigned char *HMAC(const EVP_MD *md, const void *key, int key_length,
                    const unsigned char *data, size_t length,
                    unsigned char *out, unsigned int *out_length);
]]

local crypto = ffi.load("crypto.so.3")
local digest, digest_length = ffi.new("unsigned char[32]"), ffi.new("unsigned int[1]")
local WINDOW = 60

local function decode(part)
  local text = part:gsub("-", "+"):gsub("_", "/")
  return ngx.decode_base64(text .. ("="):rep(-#text % 4))
end

local function claims_of(token, secret)
  local head, body, signature = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
  if not head then return nil end
  local fields = cjson.decode(decode(head) or "")
  if not fields or fields.alg ~= "HS256" then return nil end
  local signed = head .. "." .. body
  crypto.HMAC(crypto.EVP_sha256(), secret, #secret, signed, #signed, digest, digest_length)
  if ffi.string(digest, 32) ~= decode(signature) then return nil end
  local claims = cjson.decode(decode(body) or "")
  if not claims or (claims.exp or 0) < ngx.time() then return nil end
  return claims
end

local check = {}

function check.access(secret, limit)
  local header = ngx.var.http_authorization or ""
  local claims = claims_of(header:sub(8), secret)
  if not claims then return ngx.exit(401) end
  local window = math.floor(ngx.time() / WINDOW)
  local count = ngx.shared.counts:incr(claims.sub .. window, 1, 0, WINDOW)
  if count > limit then return ngx.exit(429) end
end

return check
