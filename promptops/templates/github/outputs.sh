# The summary stays empty where no prompt is affected; then no comment is begun.
if [ -s "$RUNNER_TEMP/summary.md" ]; then
  cat "$RUNNER_TEMP/summary.md" >> "$GITHUB_STEP_SUMMARY"
  echo "affects=true" >> "$GITHUB_OUTPUT"
fi
if [ -s "$RUNNER_TEMP/comment.md" ]; then
  end="end-$(openssl rand -hex 16)"
  printf 'comment<<%s\n%s\n%s\n' "$end" "$(cat "$RUNNER_TEMP/comment.md")" "$end" >> "$GITHUB_OUTPUT"
fi
echo "code=$code" >> "$GITHUB_OUTPUT"
exit "$code"
