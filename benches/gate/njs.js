// RS256, issuer, audience and times by nginx's own JavaScript. Each request gets a
// context of its own, so that neither the key nor a verdict outlives it.

const KEY = Buffer.from('@SPKI@', 'base64');
const ISSUER = '@ISSUER@';
const AUDIENCE = '@AUDIENCE@';
const LEEWAY = 30;

function read(part) {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
}

async function isGenuine(authorization) {
    const parts = authorization.slice('Bearer '.length).split('.');
    if (!authorization.startsWith('Bearer ') || parts.length != 3) {
        return false;
    }
    if (read(parts[0]).alg !== 'RS256') {
        return false;
    }
    const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
    const key = await crypto.subtle.importKey('spki', KEY, algorithm, false, ['verify']);
    const signature = Buffer.from(parts[2], 'base64url');
    const signed = `${parts[0]}.${parts[1]}`;
    if (!await crypto.subtle.verify(algorithm, key, signature, signed)) {
        return false;
    }
    const claims = read(parts[1]);
    const now = Date.now() / 1000;
    return claims.iss === ISSUER
        && claims.aud === AUDIENCE
        && typeof claims.exp == 'number' && now < claims.exp + LEEWAY
        && (claims.nbf === undefined
            || typeof claims.nbf == 'number' && claims.nbf - LEEWAY <= now);
}

async function check(r) {
    let genuine = false;
    try {
        genuine = await isGenuine(r.headersIn.authorization || '');
    } catch (error) {
        // Whatever can't be read is not genuine.
    }
    r.return(genuine ? 200 : 401);
}

export default { check };
