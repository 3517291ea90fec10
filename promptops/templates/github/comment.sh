mark='<!-- promptops-gate -->'
comments="repos/$GITHUB_REPOSITORY/issues/$NUMBER/comments"
ids=$(gh api --paginate "$comments" \
  --jq ".[] | select(.user.login == \"github-actions[bot]\" and (.body | startswith(\"$mark\"))) | .id")
id=${ids%%$'\n'*}
if [ -n "$COMMENT" ] && [ -n "$id" ]; then
  printf %s "$COMMENT" | gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" -F body=@-
elif [ -n "$COMMENT" ]; then
  printf %s "$COMMENT" | gh api --silent --method POST "$comments" -F body=@-
elif [ -n "$id" ]; then
  gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" \
    -f body="$mark"$'\n\n'"promptops: no answer for the latest commit, or no prompt is affected any more; see the checks."
fi
