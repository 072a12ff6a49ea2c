# versitygw, an S3 API with conditional puts over a folder.

ports_s3() { echo "$S3_PORT"; }

begin_s3() {
    mkdir -p "$RUN/data/s3"
    # Without --keep-alive versitygw closes each connection after one answer.
    launch s3 env ROOT_ACCESS_KEY="$S3_KEY" ROOT_SECRET_KEY="$S3_SECRET" "$INSTALLED/s3/versitygw" \
        --port "$LOCAL:$S3_PORT" --region "$S3_REGION" --health /health --keep-alive -q posix "$RUN/data/s3"
}

ready_s3() { http "http://$LOCAL:$S3_PORT/health" >/dev/null; }

# Makes the bucket; curl signs the request.
after_s3() {
    local code
    code=$(http -o /dev/null -w '%{http_code}' -X PUT --user "$S3_KEY:$S3_SECRET" --aws-sigv4 "aws:amz:$S3_REGION:s3" \
        -H 'x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' \
        "http://$LOCAL:$S3_PORT/$S3_BUCKET") || true
    case $code in 200 | 409) ;; *)
        echo "error: could not make the bucket $S3_BUCKET: HTTP $code" >&2
        return 1
        ;;
    esac
}
