// A real OpenID Connect issuer: oidc-provider (certified), with people of its own.
//
// Started as `node issuer.mjs <folder of modules> <public url of Guildhall>`; prints its own address
// as the first line, and ends when its standard input does.
//
// One client for each algorithm of ID tokens, with a secret, and one without. Whoever is named by
// `login_hint` is signed in without being asked, so that no browser is needed; whoever is not named
// is refused.

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, publicUrl] = process.argv.slice(2);
const { default: Provider } = await import(
  pathToFileURL(resolve(modules, 'oidc-provider/lib/index.js')).href
);

const people = {
  ada: { email: 'ada@corp.example', email_verified: true, name: 'Ada Lovelace', groups: ['engines'] },
  grace: { email: 'grace@corp.example', email_verified: true, name: 'Grace Hopper', groups: [] },
  mallory: { email: 'ada@corp.example', email_verified: false, name: 'Mallory', groups: [] },
};

const jwk = (type, options, extra) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
  use: 'sig',
  ...extra,
});

const client = (name, fields) => ({
  client_id: name,
  redirect_uris: [`${publicUrl}/auth/${name}/callback`],
  grant_types: ['authorization_code'],
  response_types: ['code'],
  ...fields,
});

const withSecret = (name, algorithm) => client(name, {
  client_secret: `secret of ${name}: %&+`,
  id_token_signed_response_alg: algorithm,
});

const configuration = {
  clients: [
    withSecret('rs', 'RS256'),
    withSecret('es', 'ES256'),
    withSecret('ed', 'EdDSA'),
    client('bare', { token_endpoint_auth_method: 'none' }),
  ],
  jwks: {
    keys: [
      jwk('rsa', { modulusLength: 2048 }, { kid: 'rs' }),
      jwk('ec', { namedCurve: 'P-256' }, { kid: 'es' }),
      jwk('ed25519', {}, { kid: 'ed' }),
    ],
  },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
  claims: { openid: ['sub', 'groups'], email: ['email', 'email_verified'], profile: ['name'] },
  // As the standard has it: what `email` and `profile` ask for comes from the userinfo endpoint.
  conformIdTokenClaims: true,
  pkce: { methods: ['S256'], required: () => true },
  features: { devInteractions: { enabled: false } },
  cookies: { keys: ['only for tests'] },
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 300, Interaction: 600, Session: 600 },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (ctx, sub) => people[sub] && { accountId: sub, claims: () => ({ sub, ...people[sub] }) },
};

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration);
  const serve = provider.callback();

  const interact = async (request, response) => {
    const { prompt, params, session } = await provider.interactionDetails(request, response);
    let result;
    if (!people[params.login_hint]) {
      result = { error: 'access_denied', error_description: '<script>alert(1)</script>' };
    } else if (prompt.name === 'login') {
      result = { login: { accountId: params.login_hint } };
    } else {
      const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
      grant.addOIDCScope(params.scope);
      result = { consent: { grantId: await grant.save() } };
    }
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
  };

  server.on('request', (request, response) => {
    if (request.url.startsWith('/interaction/')) {
      interact(request, response).catch((error) => {
        response.writeHead(500).end(String(error));
      });
    } else {
      serve(request, response);
    }
  });
  console.log(issuer);
});

process.stdin.resume().on('end', () => process.exit());
