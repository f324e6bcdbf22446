//! What a token must say, of what type, and when.

use serde_json::{Value, json};

use super::{
    Caller, Refusal, accepted,
    issuer::{
        AUDIENCE, CALLER, claims, claims_and, claims_text, header, lacking, merged, now, signed,
        with_claims,
    },
    refused,
};
use crate::{
    guard::{GuardSettings, claims::Claims},
    telemetry::LineLimit,
};

fn without(claim: &str) -> String {
    signed(&header(), &lacking(claims(), claim))
}

fn exp(value: Value) -> String {
    with_claims(json!({ "exp": value }))
}

fn iss(value: Value) -> String {
    with_claims(json!({ "iss": value }))
}

fn aud(value: Value) -> String {
    with_claims(json!({ "aud": value }))
}

fn email(value: &str) -> String {
    with_claims(json!({ "email": value }))
}

/// The claims as text, with this number in place of `exp`.
fn exp_text(number: &str) -> String {
    let text = merged(claims(), json!({ "exp": "NUMBER" })).to_string();
    claims_text(text.replace("\"NUMBER\"", number))
}

refused! {
    exp_missing: Claims, without("exp");
    exp_null: Claims, exp(Value::Null);
    exp_a_string: Claims, exp(json!((now() + 3000).to_string()));
    exp_a_float: Claims, exp_text(&format!("{}.0", now() + 3000));
    exp_in_scientific_notation: Claims, exp_text("2e9");
    exp_a_boolean: Claims, exp(json!(true));
    exp_an_array: Claims, exp(json!([now() + 3000]));
    exp_negative: Claims, exp(json!(-1));
    exp_zero: Expired, exp(json!(0));
    exp_of_2_to_63: Claims, exp_text("9223372036854775808");
    exp_of_2_to_64: Claims, exp_text("18446744073709551616");
    exp_the_largest_number: Lifetime, exp(json!(i64::MAX));
    exp_over_all_floats: Claims, exp_text("1e400");
    exp_not_a_number: Claims, exp_text("NaN");
    exp_in_milliseconds: Lifetime, exp(json!((now() + 3000) * 1000));
    exp_past: Expired, exp(json!(now() - 60));
    exp_twice: Claims, claims_and(r#""exp":4000000000"#);

    iat_missing: Claims, without("iat");
    iat_a_string: Claims, with_claims(json!({ "iat": "1" }));
    iat_negative: Claims, with_claims(json!({ "iat": -1 }));
    iat_in_the_future: IssuedLater, with_claims(json!({ "iat": now() + 120 }));
    iat_the_largest_number: IssuedLater, with_claims(json!({ "iat": i64::MAX }));
    iat_after_exp: Lifetime, with_claims(json!({ "iat": now() + 20, "exp": now() - 20 }));
    a_lifetime_of_a_day_and_a_second: Lifetime, with_claims(json!({ "iat": now(), "exp": now() + 86_401 }));
    a_lifetime_of_a_hundred_years: Lifetime, with_claims(json!({ "exp": now() + 3_155_760_000 }));
    a_token_of_1970_that_lives_until_today: Lifetime, with_claims(json!({ "iat": 0 }));

    nbf_in_the_future: NotYet, with_claims(json!({ "nbf": now() + 120 }));
    nbf_a_string: Claims, with_claims(json!({ "nbf": "0" }));
    nbf_null: Claims, with_claims(json!({ "nbf": null }));
    nbf_negative: Claims, with_claims(json!({ "nbf": -1 }));
    nbf_a_float: Claims, with_claims(json!({ "nbf": 0.5 }));

    iss_missing: Claims, without("iss");
    iss_a_number: Claims, iss(json!(1));
    iss_an_array_with_google: Claims, iss(json!(["https://accounts.google.com"]));
    iss_empty: Issuer, iss(json!(""));
    iss_with_a_slash_behind: Issuer, iss(json!("https://accounts.google.com/"));
    iss_over_plain_http: Issuer, iss(json!("http://accounts.google.com"));
    iss_of_a_longer_host: Issuer, iss(json!("https://accounts.google.com.evil.example"));
    iss_with_a_name_before_the_host: Issuer, iss(json!("https://accounts.google.com@evil.example"));
    iss_in_upper_case: Issuer, iss(json!("https://ACCOUNTS.GOOGLE.COM"));
    iss_with_a_look_alike_letter: Issuer, iss(json!("https://accounts.g\u{43e}ogle.com"));
    iss_with_a_blank: Issuer, iss(json!(" https://accounts.google.com"));
    iss_of_iap: Issuer, iss(json!("https://cloud.google.com/iap"));
    iss_of_firebase: Issuer, iss(json!("https://securetoken.google.com/project"));
    iss_the_caller_itself: Issuer, iss(json!(CALLER));
    iss_twice: Claims, claims_and(r#""iss":"https://accounts.google.com""#);

    aud_missing: Claims, without("aud");
    aud_null: Claims, aud(Value::Null);
    aud_a_number: Claims, aud(json!(1));
    aud_an_object: Claims, aud(json!({}));
    aud_an_empty_array: Audience, aud(json!([]));
    aud_an_array_of_numbers: Claims, aud(json!([1]));
    aud_a_nested_array: Claims, aud(json!([[AUDIENCE]]));
    aud_empty: Audience, aud(json!(""));
    aud_of_another_service: Audience, aud(json!("https://worker-abc.a.run.app"));
    aud_an_array_without_ours: Audience, aud(json!(["https://worker-abc.a.run.app", "x"]));
    aud_shorter: Audience, aud(json!("https://poller-abc.a.run"));
    aud_with_two_slashes_behind: Audience, aud(json!(format!("{AUDIENCE}//")));
    aud_with_a_path: Audience, aud(json!(format!("{AUDIENCE}/poll")));
    aud_in_upper_case: Audience, aud(json!(AUDIENCE.to_uppercase()));
    aud_with_a_port: Audience, aud(json!(format!("{AUDIENCE}:443")));
    aud_over_plain_http: Audience, aud(json!(AUDIENCE.replace("https", "http")));
    aud_a_list_in_a_string: Audience, aud(json!(format!("{AUDIENCE},x")));
    aud_of_an_oauth_client: Audience, with_claims(json!({ "aud": "32555940559.apps.googleusercontent.com", "email": "me@gmail.com" }));
    aud_twice: Claims, claims_and(&format!(r#""aud":"{AUDIENCE}""#));

    sub_missing: Claims, without("sub");
    sub_a_number: Claims, with_claims(json!({ "sub": 1178 }));
    sub_null: Claims, with_claims(json!({ "sub": null }));
    sub_empty: Subject, with_claims(json!({ "sub": "" }));

    email_missing: Email, without("email");
    email_null: Email, with_claims(json!({ "email": null }));
    email_a_number: Claims, with_claims(json!({ "email": 1 }));
    email_twice: Claims, claims_and(&format!(r#""email":"{CALLER}""#));
    email_verified_missing: Email, without("email_verified");
    email_verified_false: Email, with_claims(json!({ "email_verified": false }));
    email_verified_null: Email, with_claims(json!({ "email_verified": null }));
    email_verified_a_string: Claims, with_claims(json!({ "email_verified": "true" }));
    email_verified_a_number: Claims, with_claims(json!({ "email_verified": 1 }));

    an_unknown_claim_twice: Claims, claims_and(r#""hd":"a","hd":"b""#);
    a_lone_surrogate_in_a_claim: Claims, claims_and(r#""hd":"\ud800""#.replace("hd", r"\ud800").as_str());

    email_of_another_account: Caller, email("other@project.iam.gserviceaccount.com");
    email_of_a_user: Caller, email("me@gmail.com");
    email_in_another_case: Caller, email("Scheduler@project.iam.gserviceaccount.com");
    email_with_a_plus: Caller, email("scheduler+x@project.iam.gserviceaccount.com");
    email_with_a_blank_behind: Caller, email(&format!("{CALLER} "));
    email_with_a_look_alike_letter: Caller, email("s\u{441}heduler@project.iam.gserviceaccount.com");
    email_with_a_longer_domain: Caller, email(&format!("{CALLER}.evil.example"));
    email_with_a_nul_behind: Caller, email(&format!("{CALLER}\0"));
    email_empty: Caller, email("");
}

accepted! {
    iss_with_https: iss(json!("https://accounts.google.com"));
    iss_without_https: iss(json!("accounts.google.com"));
    // Pinned: RFC 7519, section 4.1.3, has a token for several readers, and we are one of them.
    aud_an_array_with_ours: aud(json!(["https://worker-abc.a.run.app", AUDIENCE]));
    aud_an_array_of_ours_alone: aud(json!([AUDIENCE]));
    aud_with_a_slash_behind: aud(json!(format!("{AUDIENCE}/")));
    nbf_past: with_claims(json!({ "nbf": now() - 10 }));
    nbf_zero: with_claims(json!({ "nbf": 0 }));
    // Pinned: such a token is good for the skew alone.
    a_lifetime_of_nothing: with_claims(json!({ "iat": now() - 5, "exp": now() - 5 }));
    a_lifetime_of_a_day: with_claims(json!({ "iat": now() - 10, "exp": now() - 10 + 86_400 }));
    claims_that_say_nothing_to_us: with_claims(json!({ "google": { "compute_engine": { "zone": "z" } }, "amr": [1, null] }));
}

const NOON: i64 = 1_790_000_000;

/// What comes of a token with these claims at noon.
fn at_noon(fields: Value) -> Result<Caller, Refusal> {
    at(NOON, fields)
}

fn at(now: i64, fields: Value) -> Result<Caller, Refusal> {
    let times = json!({ "iat": NOON - 60, "exp": NOON + 60 });
    let claims = merged(merged(claims(), times), fields).to_string();
    let settings = GuardSettings {
        audiences: vec![AUDIENCE.to_owned()],
        allowed_callers: vec![CALLER.to_owned()],
        issuers: vec!["https://accounts.google.com".to_owned()],
        ..GuardSettings::off()
    };
    Claims::parse(claims.as_bytes())?.check(&settings, now, &LineLimit::new("more"))
}

#[test]
fn an_expired_token_lives_29_seconds_longer_and_not_30() {
    assert!(at_noon(json!({ "exp": NOON - 29 })).is_ok());
    assert_eq!(at_noon(json!({ "exp": NOON - 30 })), Err(Refusal::Expired));
    assert_eq!(at_noon(json!({ "exp": NOON - 31 })), Err(Refusal::Expired));
}

#[test]
fn a_token_may_be_issued_30_seconds_from_now_and_not_31() {
    for edge in [29, 30] {
        assert!(at_noon(json!({ "iat": NOON + edge })).is_ok());
    }
    assert_eq!(at_noon(json!({ "iat": NOON + 31 })), Err(Refusal::IssuedLater));
}

#[test]
fn a_token_may_begin_30_seconds_from_now_and_not_31() {
    for edge in [29, 30] {
        assert!(at_noon(json!({ "nbf": NOON + edge })).is_ok());
    }
    assert_eq!(at_noon(json!({ "nbf": NOON + 31 })), Err(Refusal::NotYet));
}

#[test]
fn no_clock_and_no_time_overflows() {
    for now in [i64::MIN, -1, 0, i64::MAX] {
        assert!(at(now, json!({})).is_err(), "{now}");
        for time in [0, 1, i64::MAX - 1, i64::MAX] {
            let _ = at(now, json!({ "iat": time, "exp": i64::MAX, "nbf": time }));
            let _ = at(now, json!({ "iat": 0, "exp": time }));
        }
    }
}

#[test]
fn a_clock_an_hour_off_refuses_and_does_not_break() {
    assert_eq!(at(NOON + 3600, json!({})), Err(Refusal::Expired));
    assert_eq!(at(NOON - 3600, json!({})), Err(Refusal::IssuedLater));
}

#[test]
fn a_caller_is_the_token_s_email_and_subject() {
    let caller = at_noon(json!({})).unwrap();
    assert_eq!(caller, Caller { email: CALLER.into(), subject: "1178".into() });
}
