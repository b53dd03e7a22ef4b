/**
 * What `mlferry completion` prints. Each asks `mlferry complete` with the words up to the cursor, as they are and never evaluated,
 * and gets a line `value<TAB>meaning` for each, and `:files` where files are as good. (The published completion libraries
 * were looked at: they evaluate what was typed, or leave files out.)
 */
export const completionScripts: Readonly<Record<'bash' | 'zsh' | 'fish', string>> = {
  // Bash takes a word apart at its colons and equals signs, quotes and backslashes in it: it is put together again, and of what fits only what stands behind the last is given.
  bash: `# mlferry: completion for bash
_mlferry() {
  local IFS=$'\\n' words=() word quote line cur before
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
    quote=
    if [[ $word == [\\"\\']* ]]; then quote=\${word:0:1}; word=\${word#?}; word=\${word%"$quote"}; else word=\${word//\\\\/}; fi
    if ((\${#words[@]})) && [[ $word == [:=]* || \${words[-1]} == *[:=] ]]; then words[-1]+=$word; else words+=("$word"); fi
  done
  cur=\${words[-1]-}
  before=
  [[ $quote ]] || before=\${cur%"\${cur##*[:=]}"}
  COMPREPLY=()
  while IFS=$'\\t' read -r line _; do
    if [[ $line == :files ]]; then
      compopt -o filenames
      COMPREPLY+=($(compgen -f -- "\${cur#"$before"}"))
    elif [[ $line == "$cur"* ]]; then
      line=\${line#"$before"}
      [[ $quote ]] || printf -v line %q "$line"
      COMPREPLY+=("$line")
    fi
  done < <(mlferry complete -- "\${words[@]}" 2>/dev/null)
}
complete -F _mlferry mlferry
`,
  zsh: `#compdef mlferry
# mlferry: completion for zsh
_mlferry() {
  local -a values
  local line files
  while IFS= read -r line; do
    if [[ $line == :files ]]; then files=1; else values+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}"); fi
  done < <(mlferry complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)
  _describe -t mlferry mlferry values
  [[ -n $files ]] && _files
}
compdef _mlferry mlferry
`,
  fish: `# mlferry: completion for fish
function __mlferry_complete
  set -l words (commandline -opc)
  set -l current (string replace -ra '[\\\\\\\\"\\']' '' -- (commandline -ct))
  for line in (mlferry complete -- $words[2..] "$current" 2>/dev/null)
    if test "$line" = :files
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c mlferry -f -a '(__mlferry_complete)'
`,
};
