#!/usr/bin/env bash
# What it costs to build a small axum server whose requests are authenticated by this crate,
# by others, or not at all: the crates compiled and the processor time of a debug build from
# nothing. For a person to run, not for CI:
#
#   benches/build_cost.sh               # a table of all: five minutes of two processors
#   benches/build_cost.sh axum ours     # these; without axum there is no ratio
#   benches/build_cost.sh --rounds=3    # in turn three times, medians; 1 by default
#   benches/build_cost.sh --json        # a line of JSON for each
#
# Each server is a crate of its own in a temporary directory, with the versions of
# benches/peers/Cargo.lock as far as they are in it. Everything is downloaded before the
# first build, and the builds are offline.
#
# - crates: the packages compiled, the server and what build scripts need included.
# - cpu s: user and system time of cargo and all that it starts, C compilers too. A machine
#   that is busy with something else makes it longer, for all about equally.
#
# Keys are fetched with rustls, where that can be chosen, and with its aws-lc, where that can
# be; signatures are checked by aws-lc, where that can be chosen. The last column says what
# each server has got of it, with which features. axum-jwks can neither use aws-lc nor check
# `iss`; jwt-authorizer is made for axum 0.7, so its server uses that.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly all=(axum ours jwt-authorizer tower-oauth2-resource-server axum-jwks axum-jwt-auth)
readonly repository=$PWD

rounds=1
json=false
names=()
for argument in "$@"; do
    case $argument in
        --rounds=*) rounds=${argument#*=} ;;
        --json) json=true ;;
        -*) echo "unexpected argument: $argument" >&2 && exit 2 ;;
        *) names+=("$argument") ;;
    esac
done
if [ ${#names[@]} = 0 ]; then
    names=("${all[@]}")
fi
for name in "${names[@]}"; do
    if [[ " ${all[*]} " != *" $name "* ]]; then
        echo "no such server: $name; there are: ${all[*]}" >&2
        exit 2
    fi
done

# The dependencies of the server NAME besides tokio.
dependencies() {
    local axum='axum = "0.8.7"' serde='serde = { version = "1", features = ["derive"] }'
    case $1 in
        axum) echo "$axum" ;;
        ours)
            echo "$axum"
            echo "derbysoft-go-auth = { path = '$repository', features = ['axum'] }"
            ;;
        jwt-authorizer)
            echo 'axum = "0.7"'
            echo "$serde"
            cat <<'TOML'
jwt-authorizer = { version = "0.15", default-features = false, features = ["chrono", "rustls-tls"] }
TOML
            ;;
        tower-oauth2-resource-server)
            echo "$axum"
            echo "$serde"
            cat <<'TOML'
tower-oauth2-resource-server = { version = "0.12", default-features = false, features = ["rustls", "jwt-aws-lc-rs"] }
TOML
            ;;
        axum-jwks)
            echo "$axum"
            echo "$serde"
            cat <<'TOML'
axum-jwks = { version = "0.12", default-features = false, features = ["rustls-tls"] }
TOML
            ;;
        axum-jwt-auth)
            echo "$axum"
            echo "$serde"
            cat <<'TOML'
axum-jwt-auth = { version = "0.7", default-features = false, features = ["rustls-tls"] }
jsonwebtoken = { version = "10", default-features = false }
TOML
            ;;
    esac
}

# What the server NAME fetches keys with, and what checks its signatures.
features() {
    case $1 in
        axum) echo '-' ;;
        ours) echo 'rustls with aws-lc; aws-lc' ;;
        jwt-authorizer) echo 'rustls with ring; ring (rustls-tls, chrono)' ;;
        tower-oauth2-resource-server) echo 'rustls with aws-lc; aws-lc (rustls, jwt-aws-lc-rs)' ;;
        axum-jwks) echo 'rustls 0.21 with ring; ring (rustls-tls)' ;;
        axum-jwt-auth) echo 'rustls with aws-lc; RustCrypto (rustls-tls)' ;;
    esac
}

# The program of the server NAME. Only ours reads its settings from the environment; the
# others have it compiled in, which is in their favour.
program() {
    case $1 in
        axum)
            cat <<'RUST'
use axum::{Router, routing::get};

async fn api() -> Router {
    Router::new().route("/ping", get(async || "ok"))
}
RUST
            ;;
        ours)
            cat <<'RUST'
use axum::{Router, routing::get};
use derbysoft_go_auth::{Config, Verified};

async fn api() -> Router {
    let auth = Config::from_env().expect("settings").build().expect("settings");
    auth.ready().await.expect("keys");
    Router::new().route("/ping", get(ping)).route_layer(auth.layer())
}

async fn ping(caller: Verified) -> String {
    format!("{:?}", caller.subject())
}
RUST
            ;;
        jwt-authorizer)
            cat <<'RUST'
use axum::{Router, routing::get};
use jwt_authorizer::{IntoLayer, JwtAuthorizer, JwtClaims, Validation};

#[derive(Clone, serde::Deserialize)]
struct Claims {
    sub: String,
}

async fn api() -> Router {
    let validation = Validation::new()
        .iss(&["https://id.example"])
        .aud(&["api"])
        .nbf(true);
    let authorizer = JwtAuthorizer::<Claims>::from_jwks_url("https://id.example/keys")
        .validation(validation)
        .build()
        .await
        .expect("keys");
    Router::new().route("/ping", get(ping)).layer(authorizer.into_layer())
}

async fn ping(JwtClaims(caller): JwtClaims<Claims>) -> String {
    caller.sub
}
RUST
            ;;
        tower-oauth2-resource-server)
            cat <<'RUST'
use axum::{Extension, Router, routing::get};
use tower_oauth2_resource_server::server::OAuth2ResourceServer;
use tower_oauth2_resource_server::tenant::TenantConfiguration;
use tower_oauth2_resource_server::validation::ClaimsValidationSpec;

#[derive(Debug, Clone, serde::Deserialize)]
struct Claims {
    sub: String,
}

async fn api() -> Router {
    let issuer = "https://id.example";
    let tenant = TenantConfiguration::builder(issuer)
        .jwks_url("https://id.example/keys")
        .claims_validation(ClaimsValidationSpec::recommended(issuer, &vec!["api".to_owned()]))
        .build()
        .await
        .expect("keys");
    let server = OAuth2ResourceServer::<Claims>::builder()
        .add_tenant(tenant)
        .build()
        .await
        .expect("a configuration");
    Router::new().route("/ping", get(ping)).layer(server.into_layer())
}

async fn ping(Extension(caller): Extension<Claims>) -> String {
    caller.sub
}
RUST
            ;;
        axum-jwks)
            cat <<'RUST'
use axum::{Router, extract::FromRef, routing::get};
use axum_jwks::Jwks;

#[derive(serde::Deserialize)]
struct Claims {
    sub: String,
}

impl axum_jwks::ParseTokenClaims for Claims {
    type Rejection = axum_jwks::TokenError;
}

#[derive(Clone)]
struct State(Jwks);

impl FromRef<State> for Jwks {
    fn from_ref(state: &State) -> Self {
        state.0.clone()
    }
}

async fn api() -> Router {
    let jwks = Jwks::from_jwks_url("https://id.example/keys", Some("api"), None);
    let state = State(jwks.await.expect("keys"));
    Router::new().route("/ping", get(ping)).with_state(state)
}

async fn ping(axum_jwks::Claims(caller): axum_jwks::Claims<Claims>) -> String {
    caller.sub
}
RUST
            ;;
        axum-jwt-auth)
            cat <<'RUST'
use axum::{Router, extract::FromRef, routing::get};
use axum_jwt_auth::{Decoder, RemoteJwksDecoder};
use jsonwebtoken::{Algorithm, Validation};
use std::sync::Arc;

#[derive(Clone, serde::Deserialize)]
struct Claims {
    sub: String,
}

#[derive(Clone)]
struct State(Decoder<Claims>);

impl FromRef<State> for Decoder<Claims> {
    fn from_ref(state: &State) -> Self {
        Arc::clone(&state.0)
    }
}

async fn api() -> Router {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&["https://id.example"]);
    validation.set_audience(&["api"]);
    validation.validate_nbf = true;
    let decoder = RemoteJwksDecoder::builder()
        .jwks_url("https://id.example/keys".to_owned())
        .validation(validation)
        .build()
        .expect("a configuration");
    decoder.initialize().await.expect("keys");
    let state = State(Arc::new(decoder));
    Router::new().route("/ping", get(ping)).with_state(state)
}

async fn ping(caller: axum_jwt_auth::Claims<Claims>) -> String {
    caller.claims.sub
}
RUST
            ;;
    esac
    cat <<'RUST'

#[tokio::main]
async fn main() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await;
    axum::serve(listener.expect("a port"), api().await).await.expect("a server");
}
RUST
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# As cargo builds by default, whatever this shell has set; incremental only for crates that
# come as a path, which ours does here and does not for a user.
unset RUSTFLAGS RUSTC_WRAPPER CARGO_ENCODED_RUSTFLAGS CARGO_TARGET_DIR CARGO_BUILD_TARGET
unset "${!CARGO_PROFILE_@}" "${!CARGO_BUILD_@}"
export CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never

host=$(rustc -vV | sed -n 's/^host: //p')
prepare() {
    local crate=$scratch/$1
    mkdir -p "$crate/src"
    {
        printf '[package]\nname = "server"\nedition = "2024"\n\n[workspace]\n\n[dependencies]\n'
        echo 'tokio = { version = "1", features = ["macros", "rt-multi-thread"] }'
        dependencies "$1"
    } >"$crate/Cargo.toml"
    program "$1" >"$crate/src/main.rs"
    cp benches/peers/Cargo.lock "$crate/"
    (cd "$crate" && cargo fetch --quiet --target "$host")
}

# Prints the crates compiled and the seconds of processor time.
build() {
    local crate=$scratch/$1 crates user system TIMEFORMAT='%U %S'
    rm -rf "$crate/target"
    {
        time (
            cd "$crate"
            cargo build --quiet --offline --locked --target-dir target \
                --message-format=json-render-diagnostics >built.json 2>errors.txt
        )
    } 2>"$crate/time" || { cat "$crate/errors.txt" >&2 && return 1; }
    rm -rf "$crate/target"
    read -r user system <"$crate/time"
    crates=$(grep -F '"reason":"compiler-artifact"' "$crate/built.json" |
        grep -o '"package_id":"[^"]*"' | sort -u | wc -l)
    awk -v crates="$crates" -v user="$user" -v kernel="$system" \
        'BEGIN { printf "%d %.2f\n", crates, user + kernel }'
}

for name in "${names[@]}"; do
    prepare "$name"
done
for ((round = 1; round <= rounds; round++)); do
    for name in "${names[@]}"; do
        echo "round $round: $name" >&2
        read -r crates seconds < <(build "$name")
        echo "$name $crates $seconds" >>"$scratch/$round"
    done
done

# The median of the numbers on standard input.
median() {
    sort -g | awk '{ n[NR] = $1 } END { print (n[int((NR + 1) / 2)] + n[int(NR / 2) + 1]) / 2 }'
}

if ! $json; then
    printf '%-30s %6s %8s %8s  %s\n' server crates 'cpu s' 'to axum' 'keys by; signatures by'
fi
for name in "${names[@]}"; do
    numbers=$(for ((round = 1; round <= rounds; round++)); do
        awk -v name="$name" '
            $1 == "axum" { axum = $3 }
            $1 == name { crates = $2; seconds = $3 }
            END { print crates, seconds, axum ? seconds / axum : "" }' "$scratch/$round"
    done)
    crates=$(cut -d' ' -f1 <<<"$numbers" | median)
    seconds=$(cut -d' ' -f2 <<<"$numbers" | median)
    ratio=
    if [[ " ${names[*]} " == *' axum '* ]]; then
        ratio=$(cut -d' ' -f3 <<<"$numbers" | median)
        ratio=$(printf '%.2f' "$ratio")
    fi
    if $json; then
        printf '{"server": "%s", "crates": %d, "cpu_seconds": %.1f%s}\n' \
            "$name" "$crates" "$seconds" "${ratio:+, \"ratio_to_axum\": $ratio}"
    else
        printf '%-30s %6d %8.1f %8s  %s\n' \
            "$name" "$crates" "$seconds" "${ratio:--}" "$(features "$name")"
    fi
done
