mark='<!-- promptops-gate -->'
comments="repos/$GITHUB_REPOSITORY/issues/$NUMBER/comments"
ids=$(gh api --paginate "$comments?per_page=100" \
  --jq ".[] | select(.user.login == \"github-actions[bot]\" and (.body | startswith(\"$mark\"))) | .id")
id=${ids%%$'\n'*}
said=${COMMENT:-"$mark"$'\n\n'"promptops gave no answer for the latest commit; see its checks."}
if [ -n "$id" ]; then
  printf %s "$said" | gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" -F body=@-
elif [ -n "$COMMENT" ] && [ "$AFFECTS" = true ]; then
  printf %s "$said" | gh api --silent --method POST "$comments" -F body=@-
fi
