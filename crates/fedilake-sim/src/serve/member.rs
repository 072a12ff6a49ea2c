//! `/api/v1/accounts/verify_credentials`: the member whose token a reader holds.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::access::Bearer;
use super::answer::json_body;
use super::live_post;
use super::scopes;
use super::server::Server;

/// The handler.
pub(crate) async fn verify(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    if let Err(refused) = Bearer::of(&headers, None, &server).user(&scopes::ACCOUNT) {
        return refused.into_response();
    }
    let mut account = Vec::new();
    live_post::write_member(&server.map, server.index, &mut account);
    // A member sees more of oneself than others do.
    account.pop();
    account.extend_from_slice(b",\"source\":{\"privacy\":\"public\",\"sensitive\":false,\"language\":null,\"note\":\"\",\"fields\":[],\"follow_requests_count\":0,\"indexable\":true,\"discoverable\":true},\"role\":{\"id\":\"-99\",\"name\":\"\",\"permissions\":\"65536\",\"color\":\"\",\"highlighted\":false}}");
    json_body(account.into())
}
